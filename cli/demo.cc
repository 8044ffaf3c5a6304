#include "demo.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "ask.h"
#include "base/clock.h"
#include "base/text.h"
#include "demo_report.h"
#include "exit_code.h"
#include "fail.h"
#include "output.h"

namespace trunkline::cli {
namespace {

constexpr Duration demo_farewell = std::chrono::seconds(10);
constexpr Duration longest_demo = std::chrono::hours(24);

std::string own_program() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : std::string("trunkline");
}

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - std::size_t{1} : 120;
}

// Until the time has come, or a signal.
void wait_for_end(const sigset_t& ends, TimePoint until, const demo::Demo& running, bool with_line) {
  while (Clock::now() < until) {
    const Duration left = std::min<Duration>(until - Clock::now(), std::chrono::milliseconds(500));
    const timespec wait{.tv_sec = 0, .tv_nsec = std::max<Duration>(left, Duration(1)).count()};
    if (sigtimedwait(&ends, nullptr, &wait) > 0) return;
    if (with_line) std::fprintf(stderr, "\r%s\x1b[K", demo_line(running.summary(), terminal_columns()).c_str());
  }
}

// What is in that file, from whoever wants to see the console.
Result<void> ask_for(const std::string& login_file, run::AdminSettings& admin) {
  if (login_file.empty()) return {};
  Result<std::string> login = login_of(login_file);
  if (!login) return std::move(login).error();
  const std::size_t colon = login->find(':');
  if (colon == std::string::npos) {
    admin.bearer_token = run::KeptSecret(*login);
  } else {
    admin.user = login->substr(0, colon);
    admin.login = run::KeptSecret::login(admin.user, login->substr(colon + 1));
    if (admin.user.empty() || admin.login.empty()) {
      return Error(
          ErrorCode::invalid_options, Phase::prepare,
          "--login: " + printable(login_file) + " has a colon with no user before it, or no password behind it");
    }
  }
  run::wipe(*login);
  return {};
}

}  // namespace

int run_demo(const DemoFlags& flags) {
  const auto refuse = [](const std::string& message) {
    std::fprintf(stderr, "trunkline demo: %s\n", message.c_str());
    return exit_misuse;
  };
  Duration limit = longest_demo;
  if (!flags.seconds.empty()) {
    const auto parsed = parse_duration(flags.seconds);
    if (!parsed) return refuse("--seconds: " + parsed.error().message);
    if (*parsed < std::chrono::seconds(1)) return refuse("--seconds: at least 1");
    if (*parsed > longest_demo) return refuse("--seconds: at most " + print_duration(longest_demo));
    limit = *parsed;
  }
  // Before any thread starts: all of them leave these signals to the wait.
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  demo::DemoSettings settings;
  settings.program = own_program();
  settings.shape = traffic::shape_kind_of(flags.traffic).value_or(settings.shape);
  settings.naive = flags.naive;
  settings.admin.listen = flags.listen;
  settings.admin.unprotected = flags.unprotected;
  if (Result<void> asked = ask_for(flags.login_file, settings.admin); !asked) return refuse(asked.error().message);
  settings.first_port = flags.first_port;
  const auto started = demo::Demo::start(settings);
  if (!started) return refuse(started.error().message);
  demo::Demo& running = **started;
  const bool on_terminal = !flags.json && isatty(STDERR_FILENO) == 1;
  if (!flags.json) {
    if (!running.address().empty()) std::fprintf(stderr, "console: http://%s/\n", running.address().c_str());
    std::fprintf(stderr, "%s", flags.seconds.empty() ? "Ctrl-C ends it\n" : "");
  }
  wait_for_end(ends, Clock::now() + limit, running, on_terminal);
  // A second signal ends it at once; the backends die with it.
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  if (on_terminal) std::fprintf(stderr, "\r\x1b[K");
  const demo::Summary summary = running.stop(demo_farewell);
  Output out = Output::to_stdout();
  out.write(flags.json ? demo_json(summary) : demo_table(summary));
  return written("demo", out, exit_ok);
}

}  // namespace trunkline::cli
