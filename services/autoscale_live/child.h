// A process of ours: started without a shell, in a process group of its own, and never left behind. It dies with the
// thread that started it, whatever ends that one, so whoever starts children keeps that thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <trunkline/result.hpp>

namespace trunkline::autoscale {

struct ChildCommand {
  std::vector<std::string> arguments;         // the first is the program: a path, or a name to be found in PATH
  std::vector<std::string> environment = {};  // "NAME=value", besides ours
  std::string log = {};                       // a file that its output is added to; empty: nowhere
};

class Child {
 public:
  static Result<Child> start(const ChildCommand& command);
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Child();  // kills the group and waits, if it has not been reaped

  pid_t pid() const { return pid_; }
  int descriptor() const { return descriptor_; }  // readable once it has ended

  // To every process of its group.
  void signal(int number) const;
  // How it ended ("ended with code 1", "was killed by signal 9"), once it has; what is left of its group is killed.
  std::optional<std::string> reap();

 private:
  Child(pid_t pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}
  pid_t pid_;
  int descriptor_;
};

// A file that children add to, kept below about `most_bytes`: beyond it what there is moves to "PATH.1".
void keep_bounded(const std::string& path, std::uint64_t most_bytes);

}  // namespace trunkline::autoscale
