// A decision as JSON: what `simulate --json` prints, `explain` shows and a log keeps.
#pragma once

#include <string>

#include "services/autoscale/decision.h"

namespace trunkline::autoscale {

// One line, without its end. `seen` gives the pods' states.
std::string print_decision(const Decision& decision, const Snapshot& seen);

}  // namespace trunkline::autoscale
