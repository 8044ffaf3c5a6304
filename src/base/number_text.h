// Counts as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline {

std::string number(std::uint64_t value);                         // "1,150"
std::string number(std::uint64_t value, std::string_view noun);  // "1 connection", "1,150 connections"

}  // namespace trunkline
