// Files read and replaced as a whole.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/result.hpp>

namespace trunkline::autoscale {

// Nothing when there is no such file. "-" is not special here.
Result<std::optional<std::string>> read_file(const std::string& path, std::size_t most_bytes);

// Written beside it, synchronised, renamed over it, and the folder synchronised: after a crash one finds the old file
// or the new one, never half of one. Only the owner may read it.
Result<void> replace_file(const std::string& path, std::string_view bytes);

}  // namespace trunkline::autoscale
