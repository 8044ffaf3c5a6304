// Numbers as documents spell them: plain, quantities of Kubernetes, and points in time as exact decimal seconds.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::config {

// Whether JSON would call it a number.
bool is_number(std::string_view text);

// A JSON number, or "+Inf", "-Inf", "NaN" and their usual spellings.
std::optional<double> read_number(std::string_view text);

// Kubernetes: "250m" is 0.25, "1.5Gi", "2k", "1e3". Suffixes n u m k M G T P E and Ki Mi Gi Ti Pi Ei.
std::optional<double> read_quantity(std::string_view text);

std::string print_number(double value);  // the shortest text that reads as the same value

// Seconds with up to nine decimals, without rounding; times of a century fit.
std::optional<std::chrono::nanoseconds> read_seconds(std::string_view text);
std::string print_seconds(std::chrono::nanoseconds value);

}  // namespace trunkline::config
