// trunkline demo: the main job, on loopback, with traffic that is made up.
#pragma once

#include <string>

namespace trunkline::cli {

struct DemoFlags {
  std::string traffic = "waves";
  std::string seconds;  // empty: until Ctrl-C
  bool naive = false;
  bool json = false;
  std::string listen = "127.0.0.1:9600";
  std::string login_file;    // what the console asks for: holds user:password, or a token
  bool unprotected = false;  // other machines may look without
  int first_port = 21000;
};

int run_demo(const DemoFlags& flags);  // the exit code

}  // namespace trunkline::cli
