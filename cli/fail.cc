#include "fail.h"

#include <cstdio>
#include <utility>

#include "exit_code.h"

namespace trunkline::cli {

Error misuse(std::string message) { return {ErrorCode::invalid_options, Phase::prepare, std::move(message)}; }

int fail(std::string_view command, std::string_view why, int code) {
  std::fprintf(stderr, "trunkline %.*s: %.*s\n", static_cast<int>(command.size()), command.data(),
               static_cast<int>(why.size()), why.data());
  return code;
}

int fail(std::string_view command, const Error& error) {
  return fail(command, error.message, exit_code_of(error.kind));
}

}  // namespace trunkline::cli
