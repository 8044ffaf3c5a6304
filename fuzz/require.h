// What has to hold whatever the input. Where it does not, a line says so and the program ends; libFuzzer keeps the
// input.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

inline void require(bool ok, std::string_view what, std::string_view of = "") {
  if (ok) return;
  std::fprintf(stderr, "%.*s%s%.*s\n", static_cast<int>(what.size()), what.data(), of.empty() ? "" : ": ",
               static_cast<int>(of.size()), of.data());
  std::abort();
}
