// trunkline backend: a server for trying load balancers, scrapers and autoscalers on.
#pragma once

#include <string>

namespace trunkline::cli {

struct BackendFlags {
  std::string listen = "127.0.0.1:8080";
  std::string latency = "0";
  std::string cpu = "0";
  double leak = 0;
  std::string silent_after;
  std::string silent_for;
  std::string silence = "hang";
  std::string drain = "30s";
  bool quiet = false;
};

int run_backend(const BackendFlags& flags);  // the exit code

}  // namespace trunkline::cli
