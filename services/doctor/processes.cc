#include "services/doctor/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/text.h"

namespace trunkline::doctor {
namespace {

constexpr std::size_t most_known = 20'000;  // a program that forks for ever must not fill our memory
constexpr std::size_t most_recent = 16;
constexpr std::size_t youngest = 24;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_interpreter(std::string_view name) {
  constexpr std::array<std::string_view, 9> interpreters{"python", "node", "ruby", "perl", "php",
                                                         "bash",   "sh",   "dash", "lua"};
  return std::any_of(interpreters.begin(), interpreters.end(), [name](std::string_view interpreter) {
    const std::string_view version = name.substr(std::min(interpreter.size(), name.size()));
    return name.starts_with(interpreter) && version.find_first_not_of("0123456789.") == version.npos;
  });
}

}  // namespace

std::optional<Process> parse_stat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == text.npos || close == text.npos || close < open || text.size() < close + 5) return std::nullopt;
  Process process;
  const auto pid = decimal(text.substr(0, open == 0 ? 0 : open - 1));
  std::string_view rest = text.substr(close + 4);  // behind ") S "
  const auto parent = decimal(rest.substr(0, rest.find(' ')));
  if (!pid || !parent) return std::nullopt;
  process.pid = static_cast<int>(*pid);
  process.parent = static_cast<int>(*parent);
  process.name = printable(text.substr(open + 1, close - open - 1), 64);
  return process;
}

std::string script_of(std::string_view name, std::string_view arguments) {
  if (!is_interpreter(name)) return {};
  const std::size_t first = arguments.find('\0');
  if (first == arguments.npos) return {};
  std::string_view script = arguments.substr(first + 1);
  script = script.substr(0, script.find('\0'));
  if (script.empty() || script.starts_with('-')) return {};
  return printable(script.substr(script.rfind('/') + 1), 64);
}

std::optional<std::uint64_t> socket_inode(std::string_view link) {
  if (!link.starts_with("socket:[") || !link.ends_with(']')) return std::nullopt;
  return decimal(link.substr(8, link.size() - 9));
}

std::string ProcessTable::text(int pid, const char* file) const {
  const std::string path = root_ + "/" + std::to_string(pid) + "/" + file;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 4096> buffer{};
  const ssize_t count = read(fd, buffer.data(), buffer.size());
  close(fd);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

bool ProcessTable::look_into(int pid, const std::unordered_set<std::uint64_t>* wanted, std::size_t budget,
                             Scan& scan) const {
  const std::string path = root_ + "/" + std::to_string(pid) + "/fd";
  const Folder folder(opendir(path.c_str()));
  if (!folder) return errno != EACCES && errno != EPERM;  // who has ended hides nothing
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    if (++scan.descriptors > budget) {
      scan.cut = true;
      return true;
    }
    std::array<char, 64> link{};
    const ssize_t length = readlinkat(dirfd(folder.get()), entry->d_name, link.data(), link.size());
    const auto inode = socket_inode({link.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))});
    if (inode && (wanted == nullptr || wanted->contains(*inode))) scan.owners.emplace(*inode, pid);
  }
  return true;
}

ProcessTable::Scan ProcessTable::scan(std::size_t budget, std::optional<int> only) const {
  Scan scan;
  for (int pid : only ? std::vector<int>{*only} : pids()) {
    if (scan.cut) break;
    scan.hidden += !look_into(pid, nullptr, budget, scan);
  }
  return scan;
}

ProcessTable::Scan ProcessTable::find(const std::unordered_set<std::uint64_t>& wanted, std::size_t budget) {
  Scan scan;
  const std::vector<int> all = pids();
  std::vector<int> order = recent_;
  order.insert(order.end(), all.rbegin(), all.rbegin() + static_cast<std::ptrdiff_t>(std::min(youngest, all.size())));
  const std::size_t favourites = order.size();
  for (std::size_t i = 0; i < all.size(); ++i) order.push_back(all[(turn_ + i) % all.size()]);
  std::size_t at = 0;
  for (; at < order.size() && !scan.cut && scan.owners.size() < wanted.size(); ++at) {
    const std::size_t before = scan.owners.size();
    const int pid = order[at];
    look_into(pid, &wanted, budget, scan);
    if (scan.owners.size() == before) continue;
    describe(pid);  // now, since it may be gone in a moment
    std::erase(recent_, pid);
    recent_.insert(recent_.begin(), pid);
    if (recent_.size() > most_recent) recent_.pop_back();
  }
  if (at > favourites) turn_ = (turn_ + at - favourites) % all.size();
  return scan;
}

const Process* ProcessTable::describe(int pid) {
  const auto found = known_.find(pid);
  if (found != known_.end()) return &found->second;
  std::optional<Process> process = parse_stat(text(pid, "stat"));
  if (!process || known_.size() >= most_known) return nullptr;
  process->script = script_of(process->name, text(pid, "cmdline"));
  if (const auto parent = parse_stat(text(process->parent, "stat"))) {
    process->parent_name = parent->name;
    const std::string script = script_of(parent->name, text(parent->pid, "cmdline"));
    if (!script.empty()) process->parent_name += " " + script;
  }
  return &known_.emplace(pid, std::move(*process)).first->second;
}

std::vector<int> ProcessTable::pids() const {
  std::vector<int> pids;
  const Folder folder(opendir(root_.c_str()));
  while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
    const auto pid = decimal(entry->d_name);
    if (pid && *pid <= 0x7FFFFFFF) pids.push_back(static_cast<int>(*pid));
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::string ProcessTable::network_of(int pid) const {
  std::array<char, 64> link{};
  const std::string path = root_ + "/" + (pid == 0 ? "self" : std::to_string(pid)) + "/ns/net";
  const ssize_t length = readlink(path.c_str(), link.data(), link.size());
  return {link.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

}  // namespace trunkline::doctor
