// The binary `trunkline`: reads the command line and hands over to one subcommand, each in its own file.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "autoscale.h"
#include "backend.h"
#include "base/descriptor_limit.h"
#include "config.h"
#include "demo.h"
#include "doctor.h"
#include "exit_code.h"
#include "explain.h"
#include "fail.h"
#include "fetch.h"
#include "flags.h"
#include "load.h"
#include "metrics_check.h"
#include "output.h"
#include "run.h"
#include "scrape.h"
#include "status.h"
#include "url.h"

namespace trunkline::cli {
namespace {

int run(const Answer& answer) {
  std::fputs(answer.err.c_str(), stderr);
  Output out = Output::to_stdout();
  out.write(answer.out);
  return written("", out, answer.code);
}

int run(const FetchFlags& flags) { return run_fetch(flags); }
int run(const UrlFlags& flags) { return run_url(flags); }
int run(const LoadFlags& flags) { return run_load(flags); }
int run(const ScrapeFlags& flags) { return run_scrape(flags); }
int run(const MetricsCheckFlags& flags) { return run_metrics_check(flags); }
int run(const AutoscaleFlags& flags) { return run_autoscale(flags); }
int run(const BackendFlags& flags) { return run_backend(flags); }
int run(const DemoFlags& flags) { return run_demo(flags); }
int run(const RunFlags& flags) { return run_run(flags); }
int run(const ConfigFlags& flags) { return run_config(flags); }
int run(const StatusFlags& flags) { return run_status(flags); }
int run(const ExplainFlags& flags) { return run_explain(flags); }
int run(const DoctorFlags& flags) { return run_doctor(flags); }

// What is closed would be the number of our first socket, and what we say to people would be sent to its peer. Reading
// and writing fail as before.
void hold_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) ::_exit(exit_output_failed);
  }
}

}  // namespace
}  // namespace trunkline::cli

int main(int count, char** arguments) {
  // A reader or a peer that has gone is an error of that write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  trunkline::cli::hold_standard_descriptors();
  trunkline::raise_descriptor_limit();
  const trunkline::cli::CommandLine line = trunkline::cli::parse_command_line({arguments + 1, arguments + count});
  return std::visit([](const auto& flags) { return trunkline::cli::run(flags); }, line);
}
