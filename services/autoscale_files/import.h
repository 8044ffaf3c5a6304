// Other autoscalers' manifests as native policies, with a list of what has no counterpart. Nothing is dropped silently.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/policy.h"

namespace trunkline::autoscale {

struct Imported {
  std::string from;  // "HorizontalPodAutoscaler web"
  Policy policy;
  std::vector<std::string> notes = {};  // what could not be mapped, "FILE:LINE:COLUMN: ..." where there is a place
};

// HorizontalPodAutoscaler (autoscaling/v2), ScaledObject (keda.sh), AutoscalingPolicy with its binding (kthena); a
// native policy comes back as it is.
Result<std::vector<Imported>> import_policies(std::string_view text, std::string_view file);

Imported native_from(const HpaPolicy& hpa);
Imported native_from(const KthenaPolicy& kthena);

}  // namespace trunkline::autoscale
