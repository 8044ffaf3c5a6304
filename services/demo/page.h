// What the show shows of itself to a browser and to Prometheus.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <trunkline/result.hpp>
#include <trunkline/stats.hpp>

#include "services/autoscale_live/fleet_view.h"
#include "services/scrape/snapshot.h"

namespace trunkline::demo {

struct PageSources {
  std::function<Stats()> transport;  // the traffic's
  std::function<std::vector<scrape::SnapshotPtr>()> targets;
  const autoscale::FleetView* fleets = nullptr;
};

class Page {
 public:
  static Result<std::unique_ptr<Page>> start(const std::string& listen, PageSources sources);
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  const std::string& address() const;
  void stop(Duration limit);  // afterwards no source is asked any more

 private:
  class Impl;
  explicit Page(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::demo
