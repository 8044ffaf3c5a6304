#include "base/number_text.h"

namespace trunkline {

std::string number(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return text;
}

std::string number(std::uint64_t value, std::string_view noun) {
  return number(value) + " " + std::string(noun) + (value == 1 ? "" : "s");
}

}  // namespace trunkline
