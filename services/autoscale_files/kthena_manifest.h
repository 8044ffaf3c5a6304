// kthena's AutoscalingPolicy, with its target inside or in an AutoscalingPolicyBinding. Its two sets of defaults are
// kept as they are: those of the mutating webhook for a block left out, those of the CRD for a block written in part.
#pragma once

#include "services/autoscale/kthena_policy.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {

// `binding` is the root of the binding's document, or null.
void kthena_fields(config::Reader& io, KthenaPolicy& policy, const config::Node* binding, config::Problems& problems);
void kthena_fields(config::Writer& io, KthenaPolicy& policy);

}  // namespace trunkline::autoscale
