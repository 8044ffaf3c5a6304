#include "run.h"

#include <cstdio>

#include "exit_code.h"
#include "services/run/run.h"

namespace trunkline::cli {

int run_run(const RunFlags& flags) {
  if (flags.file == "-") {
    std::fputs("trunkline run: a file is wanted, not stdin: it is read again at each SIGHUP\n", stderr);
    return exit_misuse;
  }
  run::RunSettings settings{flags.file, flags.log == "json" ? run::LogFormat::json : run::LogFormat::text};
  switch (run::run(settings)) {
    case run::Ending::drained:
      return exit_ok;
    case run::Ending::wrong_file:
      return exit_rejected;
    case run::Ending::cut_off:
    case run::Ending::not_started:
      break;
  }
  return exit_run_failed;
}

}  // namespace trunkline::cli
