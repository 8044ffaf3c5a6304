#include "config.h"

#include <cstdio>

#include "exit_code.h"
#include "fail.h"
#include "output.h"
#include "server/server.h"
#include "services/run/absent.h"
#include "services/run/configuration.h"

namespace trunkline::cli {

int run_config(const ConfigFlags& flags) {
  const Result<run::Configuration> configuration = run::read_configuration(flags.file);
  if (!configuration) {
    std::fprintf(stderr, "%s\n", configuration.error().message.c_str());
    return exit_rejected;
  }
  const bool checks = flags.command != "print";
  const std::string name = flags.file == "-" ? "stdin" : flags.file;
  if (checks && !configuration->admin.certificate_file.empty()) {
    const server::TlsFiles files{configuration->admin.certificate_file, configuration->admin.key_file};
    if (const Result<void> good = server::check_certificate(files); !good) {
      std::fprintf(stderr, "%s: admin.tls: %s\n", name.c_str(), good.error().message.c_str());
      return exit_rejected;
    }
  }
  if (checks) {
    for (const std::string& one : run::absent_files(*configuration)) {
      std::fprintf(stderr, "%s: note: %s\n", name.c_str(), one.c_str());
    }
  }
  Output out = Output::to_stdout();
  out.write(checks ? name + ": good\n" : run::print_configuration(*configuration));
  return written("config", out, exit_ok);
}

}  // namespace trunkline::cli
