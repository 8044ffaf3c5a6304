// How a command says that it cannot go on.
#pragma once

#include <string>
#include <string_view>

#include <trunkline/error.hpp>

namespace trunkline::cli {

// A flag, a line of a batch or a file that asks for what cannot be.
Error misuse(std::string message);

// Says "trunkline COMMAND: why" on stderr, and returns the exit code.
int fail(std::string_view command, std::string_view why, int code);
int fail(std::string_view command, const Error& error);

}  // namespace trunkline::cli
