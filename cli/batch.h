// --batch: requests as JSON lines. A wrong line is an error that names file, line and field, before anything is sent.
#pragma once

#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "plan.h"

namespace trunkline::cli {

struct BatchDefaults {
  Timeouts timeouts;          // what a line's "timeouts" change
  bool include_body = false;  // for lines that do not say
};

// Empty lines and lines that start with "#" are skipped. docs/cli.md has the table of fields.
Result<std::vector<PlannedRequest>> parse_batch(std::string_view text, std::string_view file,
                                                const BatchDefaults& defaults);

}  // namespace trunkline::cli
