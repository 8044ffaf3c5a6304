#include "services/backend/later.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

#include "services/backend/session.h"

namespace trunkline::backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(BackendLater, does_what_is_due_in_the_order_of_its_time_and_then_of_its_coming) {
  Later later(10);
  std::promise<void> begun;
  std::promise<void> go_on;
  ASSERT_TRUE(later.at(Clock::now(), [&] {
    begun.set_value();
    go_on.get_future().wait();
  }));
  begun.get_future().wait();  // from here on the thread is held, so that all of these wait together
  std::vector<int> done;
  std::promise<void> ended;
  const TimePoint now = Clock::now();
  EXPECT_TRUE(later.at(now + milliseconds(2), [&] { done.push_back(3); }));
  EXPECT_TRUE(later.at(now + milliseconds(3), [&] { ended.set_value(); }));
  EXPECT_TRUE(later.at(now, [&] { done.push_back(1); }));
  EXPECT_TRUE(later.at(now, [&] { done.push_back(2); }));
  EXPECT_EQ(later.waiting(), 4U);
  go_on.set_value();
  ended.get_future().wait();
  EXPECT_EQ(done, (std::vector<int>{1, 2, 3}));
}

TEST(BackendLater, refuses_what_is_too_much) {
  Later later(2);
  EXPECT_TRUE(later.at(Clock::now() + hours(1), [] {}));
  EXPECT_TRUE(later.at(Clock::now() + hours(1), [] {}));
  EXPECT_FALSE(later.at(Clock::now() + hours(1), [] {}));
}

TEST(BackendLater, in_a_hurry_does_not_wait_for_the_time) {
  Later later(2);
  std::promise<void> done;
  EXPECT_TRUE(later.at(Clock::now() + hours(1), [&] { done.set_value(); }));
  later.hurry();
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(BackendLater, drops_what_has_not_begun_when_it_stops) {
  const auto token = std::make_shared<int>(0);
  Later later(2);
  EXPECT_TRUE(later.at(Clock::now() + hours(1), [token] { FAIL(); }));
  later.stop();
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(later.at(Clock::now(), [] { FAIL(); }));
}

TEST(BackendLater, burns_the_time_that_it_is_told) {
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  burn(milliseconds(3));
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  EXPECT_GE((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec, 3'000'000);
}

TEST(BackendForgetfulness, forgets_an_even_part) {
  const auto forgotten_of_a_hundred = [](double part) {
    Forgetfulness forgetfulness(part);
    int forgotten = 0;
    for (int i = 0; i < 100; ++i) forgotten += forgetfulness.forgets_next() ? 1 : 0;
    return forgotten;
  };
  EXPECT_EQ(forgotten_of_a_hundred(0), 0);
  EXPECT_EQ(forgotten_of_a_hundred(0.25), 25);
  EXPECT_EQ(forgotten_of_a_hundred(1), 100);
}

}  // namespace
}  // namespace trunkline::backend
