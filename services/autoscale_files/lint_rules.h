// The rules that look at one document or one policy. A finding of these has no file yet.
#pragma once

#include <vector>

#include "services/autoscale_files/lint.h"

namespace trunkline::autoscale {

// What the text of queries and names gives away, in any form of document.
std::vector<Finding> lint_document(const config::Node& document);

// What the meaning of a policy gives away. `document` is where it was written.
std::vector<Finding> lint_policy(const Policy& policy, const config::Node& document, const LintSettings& settings);

}  // namespace trunkline::autoscale
