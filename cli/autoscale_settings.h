// The flags of `trunkline autoscale ...`, as they were written.
#pragma once

#include <string>
#include <vector>

namespace trunkline::cli {

struct AutoscaleFlags {
  std::string command;  // simulate, show, import, lint

  // simulate
  std::vector<std::string> policies;
  std::string input;
  std::string generate;
  std::string compat;
  bool json = false;
  std::string html;
  bool closed_loop = false;
  bool all_rows = false;
  bool plot = false;
  std::string record;
  std::string length = "1h";
  std::string interval = "15s";
  std::string startup = "30s";
  double low = 4;
  double high = 12;
  int start = 0;

  // show, import, lint
  std::vector<std::string> files;
  std::string server_keep_alive;
};

}  // namespace trunkline::cli
