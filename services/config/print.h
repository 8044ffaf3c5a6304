// Nodes as text again. What is printed reads back as the same nodes.
#pragma once

#include <string>

#include "services/config/document.h"

namespace trunkline::config {

std::string print_yaml(const Node& node);
std::string print_json(const Node& node);  // one line, without its end

}  // namespace trunkline::config
