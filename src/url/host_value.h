// What a Host field may say: one host, to both sides.
#pragma once

#include <string_view>

namespace trunkline {

// "host", "host:port", "[v6]:port": nothing that could be read as user, path or list.
bool is_host_value(std::string_view value);

}  // namespace trunkline
