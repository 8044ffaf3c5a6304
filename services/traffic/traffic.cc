#include "services/traffic/traffic.h"

#include "services/traffic/driver.h"

namespace trunkline::traffic {

Options TrafficSettings::usual_options() {
  return Options::standard().derive([](Options& options) { options.isolation = "traffic"; });
}

Traffic::Traffic(TrafficSettings settings, Backends backends)
    : driver_(std::make_shared<Driver>(std::move(settings), std::move(backends))) {}

Traffic::~Traffic() { stop(Duration::zero()); }

void Traffic::start() { driver_->start(); }

void Traffic::stop(Duration limit) { driver_->stop(limit); }

TrafficFigures Traffic::figures() const { return driver_->figures(); }

Stats Traffic::transport_stats() const { return driver_->transport_stats(); }

}  // namespace trunkline::traffic
