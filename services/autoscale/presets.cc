#include "services/autoscale/policy.h"

namespace trunkline::autoscale {

using std::chrono::seconds;

NativePolicy websocket_preset(std::string metric, double per_pod, Bounds bounds) {
  NativePolicy policy;
  policy.bounds = bounds;
  policy.metrics = {{.name = metric, .target = {.kind = MetricTarget::Kind::per_pod, .value = per_pod}}};
  policy.up = {.stabilise = seconds(30),
               .select = Select::max,
               .policies = {{RatePolicy::Kind::percent, 50, seconds(15)}, {RatePolicy::Kind::pods, 5, seconds(15)}}};
  // The smaller of two: a step down disconnects people, who come back at once and all together.
  policy.down = {
      .stabilise = seconds(600),
      .select = Select::min,
      .policies = {{RatePolicy::Kind::percent, 20, seconds(300)}, {RatePolicy::Kind::pods, 1, seconds(120)}}};
  policy.drain = {.rank_by = std::move(metric), .wait_for_victims = true, .deadline = seconds(600)};
  return policy;
}

}  // namespace trunkline::autoscale
