// trunkline explain: why a fleet of a running process has as many replicas as it has.
#pragma once

#include <string>

#include "run_settings.h"
#include "services/config/document.h"

namespace trunkline::cli {

int run_explain(const ExplainFlags& flags);  // the exit code

// One decision, as the API has it: a line, and one for each metric and stage.
std::string decision_text(const config::Node& decision);

}  // namespace trunkline::cli
