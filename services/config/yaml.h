// YAML by yaml-cpp, whose events become our own nodes. The only place that meets that library and its exceptions.
#pragma once

#include <string_view>
#include <vector>

#include "services/config/document.h"

namespace trunkline::config {

Result<std::vector<Node>> parse_yaml(std::string_view text, std::string_view name, const Limits& limits);

}  // namespace trunkline::config
