#include "backend.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/text.h"
#include "exit_code.h"
#include "services/backend/backend.h"

namespace trunkline::cli {
namespace {

Error backend_mistake(std::string message) { return {ErrorCode::invalid_options, Phase::prepare, std::move(message)}; }

struct BackendPlan {
  backend::Settings settings;
  Duration drain{0};
};

Result<BackendPlan> backend_plan(const BackendFlags& flags) {
  BackendPlan plan;
  plan.settings.listen = flags.listen;
  plan.settings.leak = flags.leak;
  plan.settings.silence = flags.silence == "fail" ? backend::SilenceKind::fail : backend::SilenceKind::hang;
  struct Time {
    const char* flag;
    const std::string& text;
    Duration& into;
  };
  for (const Time& time : {Time{"--latency", flags.latency, plan.settings.latency},
                           Time{"--cpu", flags.cpu, plan.settings.cpu}, Time{"--drain", flags.drain, plan.drain},
                           Time{"--silent-after", flags.silent_after, plan.settings.silent_after},
                           Time{"--silent-for", flags.silent_for, plan.settings.silent_for}}) {
    if (time.text.empty()) continue;
    const auto parsed = parse_duration(time.text);
    if (!parsed) return backend_mistake(std::string(time.flag) + ": " + parsed.error().message);
    time.into = *parsed;
  }
  return plan;
}

}  // namespace

int run_backend(const BackendFlags& flags) {
  const Result<BackendPlan> plan = backend_plan(flags);
  if (!plan) {
    std::fprintf(stderr, "trunkline backend: %s\n", plan.error().message.c_str());
    return exit_misuse;
  }
  // Before any thread starts: all of them leave these signals to the wait below.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const Result<std::unique_ptr<backend::Backend>> started = backend::Backend::start(plan->settings);
  if (!started) {
    std::fprintf(stderr, "trunkline backend: %s\n", started.error().message.c_str());
    return exit_misuse;
  }
  if (!flags.quiet) {
    std::printf("trunkline backend: http://%s, process %d\n", (*started)->address().c_str(), getpid());
    std::fflush(stdout);
  }
  int signal = 0;
  sigwait(&ends, &signal);
  // The second one is not waited for: it ends the process as signals do.
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  if ((*started)->drain(plan->drain)) return exit_ok;
  std::fprintf(stderr, "trunkline backend: clients were cut off after %s\n", print_duration(plan->drain).c_str());
  return exit_invalid;
}

}  // namespace trunkline::cli
