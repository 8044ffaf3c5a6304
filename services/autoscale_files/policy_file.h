// Policies as files: the native form, a HorizontalPodAutoscaler of autoscaling/v2 as it is, or kthena's
// AutoscalingPolicy with or without its binding. All are YAML or JSON; a field that is not known is an error, with the
// nearest that is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/policy.h"
#include "services/config/document.h"
#include "services/config/reader.h"

namespace trunkline::autoscale {

inline constexpr int replicas_limit = 1'000'000;

// Every policy of a file, in its order; at least one. A list of Kubernetes counts as its items.
Result<std::vector<Policy>> read_policies(std::string_view text, std::string_view file);
Result<std::vector<Policy>> policies_of(const std::vector<config::Node>& documents, std::string_view file);

// A policy that is a part of a larger document, of any of the three forms; its name may be empty. Nothing when it is of
// no form at all. What is wrong is added to `problems`.
std::optional<Policy> read_policy(const config::Node& node, config::Problems& problems);

// The documents one by one, those of a list of Kubernetes as well.
std::vector<const config::Node*> objects_of(const std::vector<config::Node>& documents);

// The effective policy, every default written out. It reads back as the same policy.
std::string print_policy(const Policy& policy);
config::Node policy_node(const Policy& policy);

std::string_view compat_of(const Policy& policy);  // "native", "hpa" or "kthena"

}  // namespace trunkline::autoscale
