#include "services/traffic/traffic.h"

#include "services/traffic/driver.h"

namespace trunkline::traffic {

Options TrafficSettings::usual_options() {
  return Options::standard().derive([](Options& options) {
    options.isolation = "traffic";
    // WebSockets keep their connections: with 64 to a host the requests would wait in line behind a crowd of them.
    options.limits.open_per_host = 2048;
  });
}

Traffic::Traffic(TrafficSettings settings, Backends backends)
    : driver_(std::make_shared<Driver>(std::move(settings), std::move(backends))) {}

Traffic::~Traffic() { stop(Duration::zero()); }

void Traffic::start() { driver_->start(); }

void Traffic::stop(Duration limit) { driver_->stop(limit); }

TrafficFigures Traffic::figures() const { return driver_->figures(); }

Stats Traffic::transport_stats() const { return driver_->transport_stats(); }

ConnectionList Traffic::connections(const ConnectionQuery& query) const { return driver_->connections(query); }

}  // namespace trunkline::traffic
