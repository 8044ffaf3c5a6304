// Makes a backend fall silent to scrapers now and then: one that has served for a while, each in its turn. The choice
// is pure; whoever acts tells the backend.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace trunkline::demo {

class GapMaker {
 public:
  // The first gap comes after the first `every`. Zero: none comes.
  GapMaker(Clock::duration every, TimePoint now) : every_(every), next_(now + every) {}

  // Which of those that serve should fall silent now, if one should.
  std::optional<std::string> due(const std::vector<std::string>& serving, TimePoint now);

 private:
  static constexpr Clock::duration settled = std::chrono::seconds(6);

  const Clock::duration every_;
  TimePoint next_;
  std::size_t turn_ = 0;
  std::map<std::string, TimePoint> since_;  // when it was first seen to serve
};

}  // namespace trunkline::demo
