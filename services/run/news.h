// What is worth a line in the log and nobody has asked for: troubles that come and go, and fleets that change.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "services/autoscale_live/fleet_view.h"
#include "services/run/log.h"
#include "services/run/probes.h"

namespace trunkline::run {

struct NewsItem {
  LogLevel level = LogLevel::info;
  std::string event;
  std::string sentence;
  std::pair<std::string, std::string> about;  // the field's name and value
};

class News {
 public:
  // Of a trouble whose words change all the time there is a line each `quiet`, and one when it is over.
  explicit News(TimePoint::duration quiet = std::chrono::seconds(30)) : quiet_(quiet) {}

  // Since the last look.
  std::vector<NewsItem> look(const std::vector<ServiceStatus>& services, const autoscale::FleetView& fleets,
                             TimePoint now);

 private:
  static constexpr std::size_t most_decisions = 100;  // of a fleet, in one look
  struct Told {
    std::string trouble;
    TimePoint at{};
  };
  void look_at_troubles(const std::vector<ServiceStatus>& services, TimePoint now, std::vector<NewsItem>& out);
  void look_at_fleets(const autoscale::FleetView& fleets, std::vector<NewsItem>& out);

  const TimePoint::duration quiet_;
  std::map<std::string, Told> told_;
  std::map<std::string, std::uint64_t> last_decisions_;
};

}  // namespace trunkline::run
