// Numbers as Go's ParseFloat reads and writes them: the text format is defined by that function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trunkline::metrics {

// Hexadecimal ones ("0x1p-2") are the text format's only. "nan", "inf" and "infinity" in any case; underscores where Go
// allows them. None when it is no number, or too large for a double; what is too small is zero.
std::optional<double> parse_number(std::string_view text, bool hexadecimal);

// The shortest text that reads as the same number; "NaN", "+Inf", "-Inf".
void append_number(std::string& out, double value);

}  // namespace trunkline::metrics
