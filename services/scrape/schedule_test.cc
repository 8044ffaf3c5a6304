#include "services/scrape/schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace trunkline::scrape {
namespace schedule_test {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint origin{seconds(1000)};

ScheduleSettings settings() {
  ScheduleSettings made;
  made.second_try_least = 2;
  return made;
}

std::uint64_t hash_of(TargetId id) { return id * 0x9E3779B97F4A7C15U; }

Schedule with_targets(const ScheduleSettings& how, TargetId count, TimePoint now = origin) {
  Schedule schedule(how, origin, now);
  for (TargetId id = 1; id <= count; ++id) schedule.add(id, hash_of(id), now);
  return schedule;
}

// Everything up to `until`, at the moments that the schedule asks for; what starts is answered by `ending`.
struct Course {
  std::map<TargetId, std::vector<TimePoint>> starts;
  std::vector<Start> second_tries;
  std::vector<CutOff> cut_offs;
};
Course run(Schedule& schedule, TimePoint until, const std::map<TargetId, Ending>& endings = {}) {
  Course result;
  while (schedule.next() <= until) {
    const TimePoint now = schedule.next();
    const Orders orders = schedule.due(now);
    if (orders.cut_off) result.cut_offs.push_back(*orders.cut_off);
    for (const Start& start : orders.starts) {
      result.starts[start.target].push_back(now);
      if (start.second_try) result.second_tries.push_back(start);
      const auto ending = endings.find(start.target);
      schedule.ended(start.target, ending == endings.end() ? Ending::answered : ending->second);
    }
  }
  return result;
}

TEST(ScrapeSchedule, starts_every_target_once_a_cycle_and_before_the_budget) {
  Schedule schedule = with_targets(settings(), 200);
  const Course result = run(schedule, origin + seconds(30));
  ASSERT_EQ(result.cut_offs.size(), 2U);
  EXPECT_EQ(result.cut_offs[0].cycle, 0U);
  EXPECT_EQ(result.cut_offs[0].at, origin + seconds(15));
  ASSERT_EQ(result.starts.size(), 200U);
  for (const auto& [id, starts] : result.starts) {
    ASSERT_GE(starts.size(), 2U) << id;  // one of them may be due at 30 s sharp
    EXPECT_LE(starts[0] - origin, seconds(11)) << id;
    EXPECT_EQ(starts[1] - starts[0], seconds(15)) << id;
  }
}

TEST(ScrapeSchedule, spreads_the_starts_evenly) {
  std::map<std::int64_t, int> per_second;
  for (TargetId id = 1; id <= 11'000; ++id) {
    const Duration offset = offset_of(hash_of(id), settings());
    ASSERT_GE(offset, Duration::zero());
    ASSERT_LE(offset, seconds(11));
    ++per_second[offset / seconds(1)];
  }
  for (std::int64_t second = 0; second < 11; ++second) {
    EXPECT_GT(per_second[second], 850) << second;
    EXPECT_LT(per_second[second], 1150) << second;
  }
}

TEST(ScrapeSchedule, puts_neighbouring_hashes_apart) {
  std::set<Duration> offsets;
  for (std::uint64_t hash = 0; hash < 100; ++hash) offsets.insert(offset_of(hash << 40, settings()));
  EXPECT_GT(offsets.size(), 80U);
}

TEST(ScrapeSchedule, asks_at_other_moments_with_another_seed) {
  ScheduleSettings twin = settings();
  twin.seed = 7;
  int same = 0;
  for (TargetId id = 1; id <= 100; ++id) same += offset_of(hash_of(id), settings()) == offset_of(hash_of(id), twin);
  EXPECT_LT(same, 10);
}

TEST(ScrapeSchedule, tells_ahead_of_the_turns_of_those_who_want_it) {
  Schedule schedule = with_targets(settings(), 100);
  for (TargetId id = 1; id <= 50; ++id) schedule.set_ahead(id, milliseconds(500));
  std::map<TargetId, TimePoint> told;
  std::map<TargetId, TimePoint> started;
  while (schedule.next() <= origin + seconds(29)) {
    const TimePoint now = schedule.next();
    const Orders orders = schedule.due(now);
    for (const TargetId id : orders.warm) EXPECT_TRUE(told.emplace(id, now).second) << id << " is told twice";
    for (const Start& start : orders.starts) {
      started[start.target] = now;
      schedule.ended(start.target, Ending::answered);
    }
  }
  ASSERT_EQ(told.size(), 50U) << "in the second cycle, as in the first nothing was known of it";
  for (const auto& [id, at] : told) {
    EXPECT_LE(id, 50U);
    const Duration offset = started.at(id) - (origin + seconds(15));
    EXPECT_EQ(at, started.at(id) - std::min<Duration>(milliseconds(500), offset / 2)) << id;
  }
}

TEST(ScrapeSchedule, tells_nobody_ahead_who_is_still_being_asked) {
  Schedule schedule = with_targets(settings(), 1);
  schedule.set_ahead(1, milliseconds(500));
  std::size_t told = 0;
  while (schedule.next() <= origin + seconds(40)) told += schedule.due(schedule.next()).warm.size();
  EXPECT_EQ(told, 0U) << "it has never answered";
}

TEST(ScrapeSchedule, keeps_the_offsets_over_a_restart) {
  Schedule before = with_targets(settings(), 20);
  Schedule after = with_targets(settings(), 20, origin + seconds(45));
  EXPECT_EQ(after.cycle(), 3U);
  const Course first = run(before, origin + seconds(14));
  const Course second = run(after, origin + seconds(45 + 14));
  for (const auto& [id, starts] : first.starts) {
    EXPECT_EQ(second.starts.at(id).at(0) - starts.at(0), seconds(45)) << id;
  }
}

TEST(ScrapeSchedule, answers_count_until_the_cut_off_and_requests_end_at_their_timeout) {
  ScheduleSettings how = settings();
  Schedule schedule = with_targets(how, 300);
  while (schedule.next() < origin + seconds(12)) {
    const TimePoint now = schedule.next();
    for (const Start& start : schedule.due(now).starts) {
      EXPECT_EQ(start.give_up, now + how.timeout);
      EXPECT_EQ(start.answer_by, std::min(start.give_up, origin + how.interval));
    }
  }
}

TEST(ScrapeSchedule, starts_no_more_than_may_be_under_way) {
  ScheduleSettings how = settings();
  how.concurrency = 3;
  Schedule schedule = with_targets(how, 10);
  std::vector<Start> started = schedule.due(origin + seconds(12)).starts;
  ASSERT_EQ(started.size(), 3U);
  EXPECT_TRUE(schedule.waits_for_place());
  EXPECT_TRUE(schedule.due(origin + seconds(12)).starts.empty());
  schedule.ended(started[0].target, Ending::answered);
  EXPECT_EQ(schedule.due(origin + seconds(12)).starts.size(), 1U);
  EXPECT_EQ(schedule.in_flight(), 3U);
}

TEST(ScrapeSchedule, asks_the_few_that_failed_once_more_just_before_the_cut_off) {
  Schedule schedule = with_targets(settings(), 40);
  const Course result = run(schedule, origin + milliseconds(14'900), {{7, Ending::failed}, {8, Ending::hopeless}});
  ASSERT_EQ(result.second_tries.size(), 1U);
  EXPECT_EQ(result.second_tries[0].target, 7U);
  EXPECT_EQ(result.starts.at(7).at(1), origin + milliseconds(13'500));
  EXPECT_EQ(result.second_tries[0].answer_by, origin + seconds(15));
  EXPECT_EQ(result.starts.at(8).size(), 1U);
}

TEST(ScrapeSchedule, asks_nobody_again_when_many_failed) {
  Schedule schedule = with_targets(settings(), 40);
  std::map<TargetId, Ending> endings;
  for (TargetId id = 1; id <= 5; ++id) endings[id] = Ending::failed;  // a tenth of 40 is 4
  EXPECT_TRUE(run(schedule, origin + milliseconds(14'900), endings).second_tries.empty());
}

TEST(ScrapeSchedule, never_asks_a_silent_target_twice_at_once) {
  Schedule schedule = with_targets(settings(), 1);
  ASSERT_EQ(schedule.due(origin + seconds(12)).starts.size(), 1U);
  EXPECT_TRUE(schedule.due(origin + seconds(14)).starts.empty());  // no second try of what is under way
  const Orders next = schedule.due(origin + seconds(15));
  ASSERT_TRUE(next.cut_off);
  EXPECT_TRUE(schedule.due(origin + seconds(27)).starts.empty());  // its turn, but it is silent still
  schedule.ended(1, Ending::failed);
  EXPECT_EQ(schedule.due(origin + seconds(27)).starts.size(), 1U);  // the turn was owed
}

TEST(ScrapeSchedule, asks_at_its_turn_who_answered_an_earlier_question_late) {
  Schedule schedule = with_targets(settings(), 1);
  const Duration turn = offset_of(hash_of(1), settings());
  ASSERT_GT(turn, milliseconds(100)) << "choose another hash";
  ASSERT_EQ(schedule.due(origin + turn).starts.size(), 1U);
  ASSERT_TRUE(schedule.due(origin + seconds(15)).cut_off);
  schedule.ended(1, Ending::answered);
  EXPECT_TRUE(schedule.due(origin + seconds(15)).starts.empty());
  EXPECT_EQ(schedule.due(origin + seconds(15) + turn).starts.size(), 1U);
}

TEST(ScrapeSchedule, asks_newcomers_in_the_cycle_in_which_they_come_but_not_all_at_once) {
  Schedule schedule(settings(), origin, origin);
  const TimePoint come = origin + seconds(9);
  for (TargetId id = 1; id <= 100; ++id) schedule.add(id, hash_of(id), come);
  const Course result = run(schedule, origin + milliseconds(14'900));
  EXPECT_EQ(result.starts.size(), 100U);
  std::set<TimePoint> moments;
  for (const auto& [id, starts] : result.starts) {
    EXPECT_EQ(starts.size(), 1U);
    EXPECT_GE(starts[0], come);
    EXPECT_LE(starts[0], origin + seconds(11));
    moments.insert(starts[0]);
  }
  EXPECT_GT(moments.size(), 50U);
}

TEST(ScrapeSchedule, leaves_those_to_the_next_cycle_who_come_within_the_budget) {
  Schedule schedule(settings(), origin, origin);
  schedule.add(1, hash_of(1), origin + seconds(12));
  EXPECT_TRUE(run(schedule, origin + milliseconds(14'900)).starts.empty());
  EXPECT_EQ(run(schedule, origin + seconds(27)).starts.size(), 1U);
}

TEST(ScrapeSchedule, frees_the_place_of_a_removed_target_when_its_request_ends) {
  ScheduleSettings how = settings();
  how.concurrency = 1;
  Schedule schedule = with_targets(how, 2);
  const std::vector<Start> started = schedule.due(origin + seconds(12)).starts;
  ASSERT_EQ(started.size(), 1U);
  schedule.remove(started[0].target);
  EXPECT_TRUE(schedule.due(origin + seconds(12)).starts.empty());
  schedule.ended(started[0].target, Ending::answered);
  EXPECT_EQ(schedule.due(origin + seconds(12)).starts.size(), 1U);
  EXPECT_EQ(schedule.due(origin + seconds(27)).starts.size(), 0U);  // one in flight, one gone
}

TEST(ScrapeSchedule, makes_up_for_no_cycle_that_the_machine_slept_through) {
  Schedule schedule = with_targets(settings(), 3);
  const Orders orders = schedule.due(origin + seconds(150));
  ASSERT_TRUE(orders.cut_off);
  EXPECT_EQ(orders.cut_off->cycle, 0U);
  EXPECT_EQ(schedule.cycle(), 10U);
  EXPECT_FALSE(schedule.due(origin + seconds(151)).cut_off);
}

TEST(ScrapeSchedule, refuses_settings_that_make_no_sense) {
  EXPECT_TRUE(check(settings()));
  for (const auto& spoil : std::vector<void (*)(ScheduleSettings&)>{
           [](ScheduleSettings& s) { s.interval = milliseconds(1); },
           [](ScheduleSettings& s) { s.timeout = seconds(16); },
           [](ScheduleSettings& s) { s.timeout = seconds(0); },
           [](ScheduleSettings& s) { s.budget = seconds(15); },
           [](ScheduleSettings& s) { s.second_try = seconds(5); },
           [](ScheduleSettings& s) { s.concurrency = 0; },
       }) {
    ScheduleSettings how = settings();
    spoil(how);
    EXPECT_FALSE(check(how));
  }
}

}  // namespace schedule_test
}  // namespace trunkline::scrape
