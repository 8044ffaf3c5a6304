// Who holds which socket: /proc/PID/fd, for as far as we may see. Only names are read, never arguments: those hold
// passwords.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace trunkline::doctor {

struct Process {
  int pid = 0;
  int parent = 0;
  std::string name;         // the kernel's, at most 15 characters: "python3"
  std::string script;       // of an interpreter: the file's name, "churn.py"
  std::string parent_name;  // "bash"
};

// "12 (tmux: a) b) S 1 ...": name and parent. The name may hold anything, brackets too.
std::optional<Process> parse_stat(std::string_view text);
// The arguments as /proc/PID/cmdline has them: the script's file name if the first is an interpreter and the second no
// flag.
std::string script_of(std::string_view name, std::string_view arguments);
// "socket:[48213]"
std::optional<std::uint64_t> socket_inode(std::string_view link);

using Owners = std::unordered_map<std::uint64_t, int>;  // inode to process

class ProcessTable {
 public:
  explicit ProcessTable(std::string root = "/proc") : root_(std::move(root)) {}

  struct Scan {
    Owners owners;                // of what was wanted
    std::size_t descriptors = 0;  // looked at
    std::size_t hidden = 0;       // processes that we may not look into
    bool cut = false;             // more descriptors than the budget
  };
  // All sockets of all processes, or of one; at most `budget` descriptors are looked at.
  Scan scan(std::size_t budget, std::optional<int> only = std::nullopt) const;
  // A quick search for the owners of a few sockets that have just appeared: those first who owned the last ones, then
  // the youngest processes, then the others in turn, so that many searches see all.
  Scan find(const std::unordered_set<std::uint64_t>& wanted, std::size_t budget);

  // Read once and remembered, so that a process that has ended still has its name. Nothing when it was never seen.
  const Process* describe(int pid);
  std::vector<int> pids() const;
  // The network namespace, "net:[4026531840]"; empty when it may not be seen.
  std::string network_of(int pid) const;

 private:
  std::string text(int pid, const char* file) const;
  // False: it may not be seen or is gone.
  bool look_into(int pid, const std::unordered_set<std::uint64_t>* wanted, std::size_t budget, Scan& scan) const;

  std::string root_;
  std::map<int, Process> known_;
  std::vector<int> recent_;  // who owned what was found last, the latest first
  std::size_t turn_ = 0;
};

}  // namespace trunkline::doctor
