#include "services/doctor/look_reader.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace trunkline::doctor {
namespace {

constexpr std::uint32_t every_state = 0xFFFF;
constexpr std::uint32_t resting_states =
    1U << static_cast<unsigned>(SocketState::time_wait) | 1U << static_cast<unsigned>(SocketState::listening);
constexpr std::size_t glance_descriptors = 4'000;

Error trouble(std::string sentence) { return {ErrorCode::invalid_request, Phase::prepare, std::move(sentence)}; }

// A line or two of /proc/sys; empty when it cannot be read.
std::string setting(const char* name) {
  std::ifstream file(std::string("/proc/sys/net/ipv4/") + name);
  std::string line;
  std::getline(file, line);
  return line;
}

PortFacts facts_of_this_namespace() {
  const std::string range = setting("ip_local_port_range");
  const std::string reserved = setting("ip_local_reserved_ports");
  const std::string reuse = setting("tcp_tw_reuse");
  const std::string delay = setting("tcp_tw_reuse_delay");
  const std::string timestamps = setting("tcp_timestamps");
  return read_port_facts(
      {.range = range, .reserved = reserved, .tw_reuse = reuse, .tw_delay = delay, .timestamps = timestamps});
}

int open_netlink() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return -1;
  const timeval patience{.tv_sec = 5, .tv_usec = 0};  // the kernel answers at once, or something else is wrong
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

struct DiagQuestion {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

bool send_question(int fd, int family, std::uint32_t states) {
  DiagQuestion question;
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.body.sdiag_family = static_cast<std::uint8_t>(family);
  question.body.sdiag_protocol = IPPROTO_TCP;
  question.body.idiag_states = states;
  return send(fd, &question, sizeof question, 0) == static_cast<ssize_t>(sizeof question);
}

}  // namespace

Result<LookReader> LookReader::open(const LookSettings& settings) {
  LookReader reader(settings);
  const LookSettings& set = reader.settings_;
  const std::string ours = reader.processes_.network_of(0);
  const std::string theirs = set.pid ? reader.processes_.network_of(*set.pid) : ours;
  if (set.pid && access(("/proc/" + std::to_string(*set.pid)).c_str(), F_OK) != 0) {
    return trouble("there is no process " + std::to_string(*set.pid));
  }
  const auto prepare = [&reader, &set] {
    reader.ports_ = facts_of_this_namespace();
    if (!set.proc_only) reader.fd_ = open_netlink();
  };
  if (theirs == ours) {
    prepare();
  } else {
    // A socket belongs to the namespace in which it was made: a thread goes there, makes it, and ends.
    std::thread([&reader, &set, &prepare] {
      const std::string path = "/proc/" + std::to_string(*set.pid) + "/ns/net";
      const int space = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      if (space >= 0 && setns(space, CLONE_NEWNET) == 0) {
        prepare();
      } else {
        reader.unseen_.emplace_back(
            "its network namespace may not be entered: the port range is the kernel's usual one; run as root to read "
            "it");
      }
      if (space >= 0) close(space);
    }).join();
  }
  if (reader.fd_ < 0 && access(reader.net_file("tcp").c_str(), R_OK) != 0) {
    return trouble("neither netlink sock_diag nor " + reader.net_file("tcp") + " can be read: " + std::strerror(errno));
  }
  if (!reader.ports_.known && reader.unseen_.empty()) {
    reader.unseen_.emplace_back("the range of local ports could not be read: the kernel's usual one is assumed");
  }
  return reader;
}

LookReader::LookReader(LookReader&& other) noexcept
    : settings_(other.settings_),
      processes_(std::move(other.processes_)),
      ports_(other.ports_),
      unseen_(std::move(other.unseen_)),
      fd_(std::exchange(other.fd_, -1)),
      last_(std::move(other.last_)) {}

LookReader::~LookReader() {
  if (fd_ >= 0) close(fd_);
}

std::string LookReader::net_file(const char* name) const {
  return "/proc/" + (settings_.pid ? std::to_string(*settings_.pid) : "self") + "/net/" + name;
}

bool LookReader::ask_netlink(int family, Which which, Look& look) const {
  if (!send_question(fd_, family, which == Which::all ? every_state : every_state & ~resting_states)) return false;
  std::vector<std::byte> datagram(64 * 1024);
  for (;;) {
    const ssize_t count = recv(fd_, datagram.data(), datagram.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    const DiagEnd end = parse_diag(std::span(datagram).first(static_cast<std::size_t>(count)), settings_.most_sockets,
                                   look.sockets, look.cut);
    if (end != DiagEnd::more) return end == DiagEnd::done;
  }
}

Result<void> LookReader::read_proc(Which which, Look& look) const {
  bool readable = false;
  for (const char* name : {"tcp", "tcp6"}) {
    std::ifstream table(net_file(name));
    readable = readable || table.good();
    std::string line;
    while (std::getline(table, line)) {
      const auto socket = parse_proc_line(line);
      if (!socket) continue;
      const bool resting = (resting_states >> static_cast<unsigned>(socket->state) & 1U) != 0;
      if (which == Which::open_only && resting) continue;
      if (look.sockets.size() >= settings_.most_sockets) {
        look.cut = true;
        break;
      }
      look.sockets.push_back(*socket);
    }
  }
  if (!readable) return trouble(net_file("tcp") + " cannot be read any more: has the process ended?");
  return {};
}

Result<Look> LookReader::look(Which which) {
  Look look;
  look.at = Clock::now();
  if (fd_ >= 0 && !(ask_netlink(AF_INET, which, look) && ask_netlink(AF_INET6, which, look))) {
    // Refused by a kernel without tcp_diag, or a sandbox: from now on the slower way.
    close(std::exchange(fd_, -1));
    look.sockets.clear();
    look.cut = false;
  }
  if (fd_ < 0) {
    if (Result<void> read = read_proc(which, look); !read) return read.error();
  }
  if (which == Which::all) {
    std::ifstream file(net_file("snmp"));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    look.counters = read_tcp_counters(text);
  }
  return look;
}

void LookReader::learn_owners(const Look& look, Observation& seen) {
  if (look.sockets.empty()) return;
  const ProcessTable::Scan scan = processes_.scan(settings_.most_descriptors, settings_.pid);
  seen.owners.insert(scan.owners.begin(), scan.owners.end());
  name_what_was_hidden(scan, seen);
}

void LookReader::name_what_was_hidden(const ProcessTable::Scan& scan, Observation& seen) const {
  const auto say = [&seen](std::string sentence) {
    if (std::find(seen.unseen.begin(), seen.unseen.end(), sentence) == seen.unseen.end()) {
      seen.unseen.push_back(std::move(sentence));
    }
  };
  if (scan.hidden > 0) {
    say("sockets of other users' processes have no name here: run as root to see whose they are");
  }
  if (scan.cut) say("there are more open descriptors than we look at: some sockets have no name");
  if (seen.before.cut || seen.after.cut) {
    say("there are more than " + std::to_string(settings_.most_sockets) + " sockets: the rest is left out");
  }
}

// What is open now and was not before: its owner is looked for at once, for it may be gone in a millisecond.
void LookReader::glance(Observation& seen) {
  const Result<Look> now = look(Which::open_only);
  if (!now) return;
  std::unordered_set<std::uint64_t> wanted;
  for (const Socket& socket : now->sockets) {
    if (socket.inode == 0 || seen.owners.contains(socket.inode)) continue;
    if (wanted.size() >= 1'000 || seen.sightings.size() >= settings_.most_sightings) break;
    if (wanted.insert(socket.inode).second) seen.sightings.push_back(socket);
  }
  if (wanted.empty()) return;
  const ProcessTable::Scan found = processes_.find(wanted, glance_descriptors);
  for (const std::uint64_t inode : wanted) {
    const auto owner = found.owners.find(inode);
    seen.owners.emplace(inode, owner == found.owners.end() ? 0 : owner->second);  // 0: looked for in vain
  }
}

void LookReader::describe_owners(Observation& seen) {
  std::erase_if(seen.owners, [](const auto& owner) { return owner.second == 0; });
  for (const auto& [inode, pid] : seen.owners) {
    if (seen.processes.contains(pid)) continue;
    if (const Process* process = processes_.describe(pid)) seen.processes.emplace(pid, *process);
  }
}

Result<Observation> LookReader::observe(const std::function<bool()>& stop) {
  processes_ = ProcessTable();  // numbers are used again: who was 4711 an hour ago may be somebody else
  Observation seen;
  seen.ports = ports_;
  seen.only = settings_.pid;
  seen.unseen = unseen_;
  if (!last_) {
    Result<Look> first = look(Which::all);
    if (!first) return first.error();
    last_ = std::move(*first);
  }
  seen.before = std::move(*last_);
  last_.reset();
  learn_owners(seen.before, seen);
  for (const Socket& socket : seen.before.sockets)
    seen.owners.emplace(socket.inode, 0);  // hidden: not looked for again
  const TimePoint end = seen.before.at + settings_.interval;
  while (Clock::now() < end && !stop()) {
    const TimePoint start = Clock::now();
    glance(seen);
    // At most a quarter of a processor, however long a look takes.
    const Clock::duration pause = std::max(settings_.glance, 3 * (Clock::now() - start));
    std::this_thread::sleep_for(std::min(pause, std::max(end - Clock::now(), Clock::duration::zero())));
  }
  Result<Look> last = look(Which::all);
  if (!last) return last.error();
  seen.after = std::move(*last);
  std::erase_if(seen.owners, [](const auto& owner) { return owner.second == 0; });
  learn_owners(seen.after, seen);
  describe_owners(seen);
  last_ = seen.after;
  return seen;
}

}  // namespace trunkline::doctor
