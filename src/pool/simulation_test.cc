// Random schedules against simulation.h. A failure is shrunk to its shortest schedule and printed with its seed.
// TRUNKLINE_SCHEDULES says how many, TRUNKLINE_SEED where to start; TRUNKLINE_FULL=1 means ten times as many.
#include "pool/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace trunkline::pool::simulation {
namespace {

std::string law_broken_by(const Schedule& schedule) { return World(schedule.seed, false).run(schedule); }

// Leaves out ever smaller pieces as long as something still breaks.
Schedule shrink(Schedule schedule) {
  for (std::size_t piece = schedule.steps.size(); piece > 0;) {
    bool shorter = false;
    for (std::size_t at = 0; at < schedule.steps.size();) {
      Schedule candidate = schedule;
      const auto first = candidate.steps.begin() + static_cast<std::ptrdiff_t>(at);
      const std::size_t length = std::min(piece, schedule.steps.size() - at);
      candidate.steps.erase(first, first + static_cast<std::ptrdiff_t>(length));
      if (law_broken_by(candidate).empty()) {
        at += piece;
      } else {
        schedule = std::move(candidate);
        shorter = true;
      }
    }
    if (!shorter || piece > 1) piece /= 2;
  }
  return schedule;
}

std::string story_of(const Schedule& schedule) {
  World world(schedule.seed, true);
  world.run(schedule);
  return world.log();
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::uint64_t schedules_to_run() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::uint64_t count = 2'000;
#elif defined(NDEBUG)
  std::uint64_t count = 100'000;
#else
  std::uint64_t count = 10'000;
#endif
  if (number_from("TRUNKLINE_FULL", 0) != 0) count *= 10;
  return number_from("TRUNKLINE_SCHEDULES", count);
}

TEST(PoolSimulation, keeps_every_law_under_random_schedules) {
  const std::uint64_t first = number_from("TRUNKLINE_SEED", 1);
  const std::uint64_t count = schedules_to_run();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Schedule schedule = make_schedule(seed);
    if (law_broken_by(schedule).empty()) continue;
    const Schedule shortest = shrink(schedule);
    FAIL() << "seed " << seed << ", " << schedule.steps.size() << " steps, shrunk to " << shortest.steps.size() << ":\n"
           << story_of(shortest);
  }
}

TEST(PoolSimulation, a_schedule_replays_exactly) {
  const Schedule schedule = make_schedule(42);
  EXPECT_EQ(story_of(schedule), story_of(make_schedule(42)));
}

}  // namespace
}  // namespace trunkline::pool::simulation
