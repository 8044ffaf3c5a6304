// What a demo says of itself: a line while it goes on, and at its end a table or a JSON object.
#pragma once

#include <string>

#include "services/demo/demo.h"

namespace trunkline::cli {

// One line, without its end: at most `columns` wide.
std::string demo_line(const demo::Summary& summary, std::size_t columns);
std::string demo_table(const demo::Summary& summary);
std::string demo_json(const demo::Summary& summary);  // with its line end

}  // namespace trunkline::cli
