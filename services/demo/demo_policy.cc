#include "services/demo/demo_policy.h"

namespace trunkline::demo {

using autoscale::RatePolicy;
using std::chrono::seconds;

autoscale::Policy demo_policy() {
  autoscale::NativePolicy rules =
      autoscale::websocket_preset("active_ws_connections", websockets_per_replica, {.min = 1, .max = most_replicas});
  rules.gaps.fresh = seconds(3);
  rules.gaps.carry = seconds(12);
  rules.pods.startup_deadline = seconds(30);
  // A spike is met within two scrapes.
  rules.fast = {.enabled = true, .window = seconds(4), .threshold = 2.0, .hold = seconds(8)};
  rules.up = {.stabilise = seconds(0),
              .select = autoscale::Select::max,
              .policies = {{RatePolicy::Kind::percent, 100, seconds(4)}, {RatePolicy::Kind::pods, 3, seconds(4)}}};
  rules.down = {.stabilise = seconds(4),
                .select = autoscale::Select::max,
                .policies = {{RatePolicy::Kind::pods, 1, scrape_interval}}};
  rules.drain.deadline = seconds(20);
  // In a show of waves every wave turns round twice, and on purpose.
  rules.flaps = {.reversals = 1000, .window = seconds(60), .longest = seconds(6)};
  return {.name = "demo", .rules = rules};
}

}  // namespace trunkline::demo
