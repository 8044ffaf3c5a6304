// Our server as the benchmarks start it, with the limits that the others have, in one loop.
#pragma once

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

#include "server/server.h"

namespace bench {

// Until SIGTERM or SIGINT. The exit code.
inline int serve(const std::string& port, trunkline::server::Handler handler) {
  trunkline::server::Settings settings;
  settings.listen = {{.address = "127.0.0.1:" + port}};
  settings.loops = 1;
  settings.limits.requests_per_connection = 0;
  settings.limits.streams_per_connection = 250;
  settings.limits.connections = 20'000;
  settings.backlog = 65'535;
  const auto server = trunkline::server::Server::start(settings, std::move(handler));
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  int signal = 0;
  sigwait(&set, &signal);
  return 0;
}

}  // namespace bench
