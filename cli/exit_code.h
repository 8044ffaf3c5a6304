// What the process tells its caller: one code for each kind of error, so that scripts can branch on it.
#pragma once

#include <string>

#include <trunkline/error.hpp>

namespace trunkline::cli {

enum ExitCode : int {
  exit_ok = 0,
  exit_broken_law = 1,     // counters that do not add up: a bug of ours
  exit_invalid = 1,        // what was to be checked is not valid
  exit_run_failed = 1,     // `run` could not start, or had to cut something off at its end
  exit_misuse = 2,         // the command line or the batch is wrong; nothing was sent
  exit_rejected = 10,      // the others of ErrorKind follow in its order, up to 16
  exit_status = 22,        // --fail and a status of 400 or more, as curl
  exit_output_failed = 23  // stdout or a file of -o cannot be written, as curl
};

int exit_code_of(ErrorKind kind);

// The list for --help.
std::string exit_code_help();

}  // namespace trunkline::cli
