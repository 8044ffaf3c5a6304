// The console over made-up sources, to be looked at: console_program [--listen ADDRESS] [--empty] [--seconds N]
// Prints "http://HOST:PORT/" when it listens; ends with SIGTERM, SIGINT, or after N seconds.
#include <signal.h>

#include <charconv>
#include <cmath>
#include <iostream>
#include <span>
#include <string>

#include "console_lively.h"
#include "server/server.h"
#include "services/console/console.h"

namespace {

using namespace trunkline;

struct Arguments {
  std::string listen = "127.0.0.1:0";
  bool empty = false;
  int seconds = 24 * 3600;
};

bool read(std::span<char*> words, Arguments& arguments) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--empty") {
      arguments.empty = true;
    } else if (word == "--listen" && i + 1 < words.size()) {
      arguments.listen = words[++i];
    } else if (word == "--seconds" && i + 1 < words.size()) {
      const std::string_view number = words[++i];
      std::from_chars(number.data(), number.data() + number.size(), arguments.seconds);
    } else {
      return false;
    }
  }
  return true;
}

double wall() { return console::seconds_since_1970(std::chrono::system_clock::now()); }

console::Now at(double t) {
  const auto past = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(t - wall()));
  return {std::chrono::system_clock::now() + past, Clock::now() + past};
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  if (!read({words, static_cast<std::size_t>(count)}, arguments)) {
    std::cerr << "console_program [--listen ADDRESS] [--empty] [--seconds N]\n";
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  test::LivelyRoutes routes;
  test::LivelyFleets fleets;
  const double started = wall();
  console::ConsoleSources sources;
  sources.process = [started, &arguments] {
    console::ProcessFacts facts{.version = TRUNKLINE_VERSION, .pid = 4242, .ready = true};
    facts.started = std::chrono::system_clock::time_point(std::chrono::seconds(static_cast<long>(started)));
    facts.uptime = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wall() - started));
    facts.services.push_back({.name = "scrape", .ready = true});
    if (!arguments.empty) facts.services.push_back({.name = "autoscale", .ready = true});
    return facts;
  };
  sources.transport = [&] { return arguments.empty ? Stats() : routes.stats(); };
  if (!arguments.empty) {
    sources.connections = [&](const ConnectionQuery& query) { return routes.connections(query, wall()); };
    sources.differences = [](const std::string&, const std::string&) -> Result<std::vector<OptionChange>> {
      return std::vector<OptionChange>{{"tls.ca_file", "unset", "/etc/ssl/internal.pem"},
                                       {"proxy", "unset", "http://proxy.internal:3128 with credentials"}};
    };
    sources.targets = [&] { return std::vector{fleets.snapshot(Clock::now())}; };
    sources.fleets = &fleets;
  }

  server::Router router;
  const auto shown = console::add_console(router, sources, {.look_every = Duration(0)});
  // Half an hour has passed when somebody looks.
  constexpr int past = 1800;
  for (int second = past; second > 0; --second) {
    routes.step(started - second);
    fleets.step(started - second);
    shown->look(at(started - second));
  }
  auto handler = std::move(router).handler();
  if (!handler) return std::cerr << handler.error().message << "\n", 1;
  auto server = server::Server::start({.listen = {{.address = arguments.listen}}, .loops = 1}, std::move(*handler));
  if (!server) return std::cerr << server.error().message << "\n", 1;
  std::cout << "http://" << (*server)->addresses().front() << "/" << std::endl;

  for (int second = 0; second < arguments.seconds; ++second) {
    const timespec one{.tv_sec = 1, .tv_nsec = 0};
    if (sigtimedwait(&ends, nullptr, &one) > 0) break;
    routes.step(wall());
    fleets.step(wall());
    shown->look(at(wall()));
  }
  shown->stop();
  (*server)->drain(std::chrono::seconds(2));
  return 0;
}
