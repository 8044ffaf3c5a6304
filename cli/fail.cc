#include "fail.h"

#include <cstdio>
#include <string>
#include <utility>

#include "exit_code.h"

namespace trunkline::cli {

Error misuse(std::string message) { return {ErrorCode::invalid_options, Phase::prepare, std::move(message)}; }

int fail(std::string_view command, std::string_view why, int code) {
  std::fprintf(stderr, "trunkline%s%.*s: %.*s\n", command.empty() ? "" : " ", static_cast<int>(command.size()),
               command.data(), static_cast<int>(why.size()), why.data());
  return code;
}

int fail(std::string_view command, const Error& error) {
  return fail(command, error.message, exit_code_of(error.kind));
}

int written(std::string_view command, const Output& out, int code) {
  if (!out.failed() || out.reader_gone()) return code;
  return fail(command, "stdout cannot be written: " + out.failure(), exit_output_failed);
}

}  // namespace trunkline::cli
