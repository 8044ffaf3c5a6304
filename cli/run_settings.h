// The flags of `trunkline run`, `config`, `status` and `explain`, as they were written.
#pragma once

#include <string>

namespace trunkline::cli {

struct RunFlags {
  std::string file;
  std::string log = "text";
};

struct ConfigFlags {
  std::string command;  // check, print
  std::string file;
};

// Of commands that ask a process that is running.
struct AskFlags {
  std::string url = "http://127.0.0.1:9600";
  std::string login_file;  // holds user:password, or a token
  std::string ca_file;     // trusted instead of the system's roots
  bool json = false;
};

struct StatusFlags {
  AskFlags ask;
  bool connections = false;
};

struct ExplainFlags {
  AskFlags ask;
  std::string fleet;
  int last = 1;
};

}  // namespace trunkline::cli
