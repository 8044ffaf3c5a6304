// How a command says that it cannot go on.
#pragma once

#include <string>
#include <string_view>

#include <trunkline/error.hpp>

#include "output.h"

namespace trunkline::cli {

// A flag, a line of a batch or a file that asks for what cannot be.
Error misuse(std::string message);

// Says "trunkline COMMAND: why" on stderr, and returns the exit code. An empty command is the binary itself.
int fail(std::string_view command, std::string_view why, int code);
int fail(std::string_view command, const Error& error);

// `code`, when all that was written to stdout has arrived, or its reader has gone away (`| head`). Otherwise says why
// not, and returns the exit code for that.
int written(std::string_view command, const Output& out, int code);

}  // namespace trunkline::cli
