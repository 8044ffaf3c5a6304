// Made-up but lively sources for the console's page: routes that carry requests and die for all the usual reasons, and
// fleets that the real engine scales over waves of connections, with a scrape gap now and then. Time is a parameter.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/autoscale/state.h"
#include "services/console/sources.h"

namespace trunkline::test {

class LivelyRoutes {
 public:
  LivelyRoutes();
  void step(double t);  // a second passes
  Stats stats() const;
  ConnectionList connections(const ConnectionQuery& query, double t) const;

 private:
  mutable std::mutex mutex_;
  std::vector<RouteStats> routes_;
  RequestCounters requests_;
};

class LivelyFleets final : public autoscale::FleetView {
 public:
  LivelyFleets();
  void step(double t);

  std::vector<autoscale::FleetStatus> fleets() const override;
  std::vector<autoscale::DecisionPtr> decisions(std::string_view fleet, std::uint64_t after,
                                                std::size_t most) const override;
  std::optional<autoscale::Policy> policy(std::string_view fleet) const override;
  // A scrape of the first fleet's pods, as a collector gives it.
  scrape::SnapshotPtr snapshot(TimePoint steady) const;

 private:
  struct Member {
    std::string name;
    double started = 0;
    double leaving = 0;  // 0: stays
  };
  struct Fleet {
    autoscale::Policy policy;
    double period = 240;
    double low = 0;  // connections
    double high = 0;
    autoscale::State state = {};
    std::vector<Member> members = {};
    int wanted = 2;
    int next = 0;
    double decided = 0;
    std::deque<autoscale::DecisionPtr> decisions = {};
    autoscale::FleetStatus status = {};
  };

  void step(Fleet& fleet, double t);
  static autoscale::Snapshot look(const Fleet& fleet, double t);
  static void obey(Fleet& fleet, const autoscale::Decision& decision, double t);

  mutable std::mutex mutex_;
  std::vector<Fleet> fleets_;
  std::uint64_t cycle_ = 0;
};

}  // namespace trunkline::test
