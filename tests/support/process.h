// Other programs as peers: started with pipes, waited for by what they say, and killed when the test is over, however
// it ends.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::test {

class Process {
 public:
  // Looks in PATH. `environment` holds "NAME=value" in addition to ours. Standard error is ours.
  explicit Process(std::vector<std::string> arguments, std::vector<std::string> environment = {});
  ~Process();  // kills it
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // One line of its output without the LF; empty after half a minute or at its end.
  std::string read_line();
  // Reads its output until it holds `text`; what was read, or empty when it never came.
  std::string read_until(std::string_view text);
  void write(std::string_view bytes);
  void send_signal(int signal) const;
  // Its exit code, or minus the signal that ended it; what it still wrote is in `output`.
  int wait(std::string* output = nullptr);
  bool running();
  pid_t pid() const { return pid_; }

 private:
  bool read_more(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  int status_ = 0;
  bool ended_ = false;
  std::string buffer_;
};

// Removed with all that is in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Writes a file and returns its path. Parents are made; an existing file is replaced.
  std::string write(const std::string& name, std::string_view contents) const;

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);

// A TCP port of 127.0.0.1 that was free a moment ago, for programs that cannot choose one themselves. None of those the
// kernel gives to outgoing connections, one of which would take it before the program does.
int free_port();
// Until something listens there: half a minute at most.
bool wait_for_port(int port);

}  // namespace trunkline::test
