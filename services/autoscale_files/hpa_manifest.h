// autoscaling/v2, HorizontalPodAutoscaler: the manifest's spec, strictly. Beside it stands what the controller's flags
// say, in a block `controller` of our own.
#pragma once

#include "services/autoscale/hpa_policy.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {

// Fields of the manifest's root other than kind, metadata and what all policies have.
void hpa_fields(config::Reader& io, HpaPolicy& policy);
void hpa_fields(config::Writer& io, HpaPolicy& policy);

// spec.behavior, which KEDA's ScaledObject holds too.
void behavior_fields(config::Reader& io, HpaBehavior& behavior);

}  // namespace trunkline::autoscale
