#include "services/run/run.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <string_view>
#include <thread>

#include "base/text.h"
#include "services/run/notify.h"
#include "services/run/signals.h"
#include "services/run/supervisor.h"

namespace trunkline::run {
namespace {

void tell_lines(const Log& log, std::string_view event, std::string_view message) {
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    log.write(LogLevel::error, event, message.substr(0, end));
    if (end == std::string_view::npos) return;
    message.remove_prefix(end + 1);
  }
}

std::string name_of(int signal) {
  switch (signal) {
    case SIGHUP:
      return "SIGHUP";
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    default:
      return "signal " + std::to_string(signal);
  }
}

// How long a look at what there is to tell may wait, and how often systemd hears of us.
std::chrono::microseconds round_of(const Notifier& notifier) {
  constexpr std::chrono::microseconds look_again = std::chrono::seconds(1);
  return std::min(look_again, notifier.alive_every().value_or(look_again));
}

// Until a signal says that it is over.
int serve(Supervisor& supervisor, SignalQueue& signals, const Notifier& notifier) {
  for (;;) {
    notifier.alive();
    supervisor.tell_news();
    const std::optional<int> signal = signals.wait(round_of(notifier));
    if (!signal) continue;
    if (*signal != SIGHUP) return *signal;
    notifier.reloading();
    const bool good = supervisor.reload();
    notifier.ready(good ? "running" : "running; the last reload did not succeed: the log says why");
  }
}

// The second signal does not wait for anything: whatever keeps us is what its sender wants to be rid of.
bool drain(Supervisor& supervisor, SignalQueue& signals, const Notifier& notifier, const Log& log) {
  std::atomic<bool> done{false};
  bool nothing_cut = false;
  std::thread draining([&] {
    nothing_cut = supervisor.drain();
    done = true;
    signals.wake();
  });
  while (!done) {
    notifier.alive();
    const std::optional<int> signal = signals.wait(round_of(notifier));
    if (!signal || *signal == SIGHUP) continue;
    log.write(LogLevel::warning, "ended", "a second signal: ended at once, without draining",
              {{"signal", name_of(*signal)}});
    ::_exit(128 + *signal);
  }
  draining.join();
  return nothing_cut;
}

}  // namespace

Ending run(const RunSettings& settings) {
  SignalQueue signals{SIGHUP, SIGTERM, SIGINT};
  const Notifier notifier = Notifier::from_environment();
  const Log log(settings.log);
  Result<Configuration> configuration = read_configuration(settings.file);
  if (!configuration) {
    tell_lines(log, "refused", configuration.error().message);
    return Ending::wrong_file;
  }
  Supervisor supervisor(settings.file, log);
  if (Result<void> started = supervisor.start(std::move(*configuration)); !started) {
    tell_lines(log, "not_started", started.error().message);
    return Ending::not_started;
  }
  notifier.ready("running");
  log.write(LogLevel::info, "ready", "running", {{"file", settings.file}, {"pid", std::to_string(::getpid())}});

  const int signal = serve(supervisor, signals, notifier);
  const std::string limit = print_duration(supervisor.drain_limit());
  notifier.stopping("draining for at most " + limit);
  log.write(LogLevel::info, "draining", "no longer ready; ending what is under way",
            {{"signal", name_of(signal)}, {"limit", limit}});
  if (!drain(supervisor, signals, notifier, log)) {
    log.write(LogLevel::error, "ended", "what had not ended within " + limit + " was cut off");
    return Ending::cut_off;
  }
  log.write(LogLevel::info, "ended", "all of it has ended in order");
  return Ending::drained;
}

}  // namespace trunkline::run
