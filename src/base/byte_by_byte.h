// For tests and fuzz targets: what a reader is given when each byte comes alone.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace trunkline {

inline std::vector<std::string_view> byte_by_byte(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  return pieces;
}

}  // namespace trunkline
