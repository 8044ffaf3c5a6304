// The fleet of the show: processes of our own binary, scaled by the demo's policy.
#pragma once

#include <memory>

#include <trunkline/result.hpp>

#include "services/autoscale_live/fleet_view.h"
#include "services/demo/demo.h"

namespace trunkline::demo {

class Fleet {
 public:
  static Result<std::unique_ptr<Fleet>> start(const DemoSettings& settings);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  const autoscale::FleetView& view() const;
  void stop(Duration limit);  // processes are told to go, and killed at the limit

 private:
  class Impl;
  explicit Fleet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::demo
