#include "services/backend/silence.h"

#include <gtest/gtest.h>

namespace trunkline::backend {
namespace {

using std::chrono::seconds;
constexpr TimePoint start{seconds(1000)};

TEST(BackendSilence, there_is_none_unless_somebody_asks) {
  const Silence silence({}, start);
  EXPECT_FALSE(silence.at(start));
  EXPECT_FALSE(silence.at(start + seconds(1)));
}

TEST(BackendSilence, begins_and_ends_when_it_was_told_at_the_start) {
  Settings settings;
  settings.silent_after = seconds(10);
  settings.silent_for = seconds(5);
  settings.silence = SilenceKind::fail;
  const Silence silence(settings, start);
  EXPECT_FALSE(silence.at(start + seconds(10) - Duration(1)));
  ASSERT_TRUE(silence.at(start + seconds(10)));
  EXPECT_EQ(silence.at(start + seconds(12))->kind, SilenceKind::fail);
  EXPECT_EQ(silence.at(start + seconds(12))->until, start + seconds(15));
  EXPECT_FALSE(silence.at(start + seconds(15)));
}

TEST(BackendSilence, may_fall_at_any_time_and_be_ended_early) {
  Silence silence({}, start);
  silence.fall(SilenceKind::hang, seconds(30), start + seconds(1));
  EXPECT_TRUE(silence.at(start + seconds(30)));
  silence.fall(SilenceKind::hang, seconds(0), start + seconds(31) - Duration(1));
  EXPECT_FALSE(silence.at(start + seconds(31) - Duration(1)));
}

TEST(BackendSilence, is_never_longer_than_a_day) {
  Silence silence({}, start);
  silence.fall(SilenceKind::hang, std::chrono::hours(1000), start);
  EXPECT_FALSE(silence.at(start + longest_silence));
}

TEST(BackendSettings, are_refused_with_the_name_of_what_is_wrong) {
  const auto refusal = [](auto change) {
    Settings settings;
    change(settings);
    const Result<void> good = check(settings);
    return good ? std::string("fine") : good.error().message.substr(0, good.error().message.find(':'));
  };
  EXPECT_EQ(refusal([](Settings&) {}), "fine");
  EXPECT_EQ(refusal([](Settings& settings) { settings.leak = 1.5; }), "leak");
  EXPECT_EQ(refusal([](Settings& settings) { settings.leak = -0.1; }), "leak");
  EXPECT_EQ(refusal([](Settings& settings) { settings.cpu = seconds(61); }), "cpu");
  EXPECT_EQ(refusal([](Settings& settings) { settings.latency = std::chrono::hours(2); }), "latency");
  EXPECT_EQ(refusal([](Settings& settings) { settings.silent_after = seconds(1); }), "silent-after");
}

}  // namespace
}  // namespace trunkline::backend
