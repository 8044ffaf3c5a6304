#include "config.h"

#include <cstdio>

#include "exit_code.h"
#include "output.h"
#include "services/run/configuration.h"

namespace trunkline::cli {

int run_config(const ConfigFlags& flags) {
  const Result<run::Configuration> configuration = run::read_configuration(flags.file);
  if (!configuration) {
    std::fprintf(stderr, "%s\n", configuration.error().message.c_str());
    return exit_rejected;
  }
  Output out = Output::to_stdout();
  if (flags.command == "print") {
    out.write(run::print_configuration(*configuration));
  } else {
    out.write((flags.file == "-" ? "stdin" : flags.file) + ": good\n");
  }
  if (!out.failed() || out.reader_gone()) return exit_ok;
  std::fprintf(stderr, "trunkline config: stdout cannot be written: %s\n", out.failure().c_str());
  return exit_output_failed;
}

}  // namespace trunkline::cli
