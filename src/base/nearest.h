// "Did you mean ...?": the known word that is nearest to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline {

// Empty when none is near enough to be what was meant.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

// ", did you mean \"X\"?" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace trunkline
