// What a metric's values say beyond how many replicas are needed: load that is badly spread, gauges that leak.
#pragma once

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"

namespace trunkline::autoscale {

void advise(const MetricPolicy& metric, const Snapshot& snapshot, const MetricRecord& record, Decision& decision);

}  // namespace trunkline::autoscale
