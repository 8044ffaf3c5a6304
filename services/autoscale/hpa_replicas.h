// How many replicas one metric of a HorizontalPodAutoscaler asks for. The arithmetic follows Kubernetes's replica
// calculator to the rounding: thousandths, whole percents, and a ratio that is recomputed with what is missing.
#pragma once

#include <string>

#include "services/autoscale/decision.h"
#include "services/autoscale/hpa_policy.h"
#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

struct HpaProposal {
  std::string error = {};  // empty: `replicas` holds
  int replicas = 0;
  double shown = 0;  // what a status would show: percent of the request, or the mean in the metric's unit
};

struct HpaTolerance {
  double up = 0.1;
  double down = 0.1;
  bool holds(double ratio) const { return 1.0 - down <= ratio && ratio <= 1.0 + up; }
};

HpaTolerance hpa_tolerance(const HpaPolicy& policy);

// With `record` each pod's part in it is written down there.
HpaProposal hpa_propose(const HpaMetric& metric, const HpaPolicy& policy, const Snapshot& snapshot, TimePoint now,
                        MetricRecord* record = nullptr);

}  // namespace trunkline::autoscale
