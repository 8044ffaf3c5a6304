#include "services/doctor/uses.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace trunkline::doctor {
namespace {

constexpr std::size_t most_pids = 10;

bool is_open(SocketState state) {
  return state == SocketState::established || state == SocketState::close_wait || state == SocketState::syn_sent;
}

// A connection from its dialling end.
struct Connection {
  Pair pair;
  bool inbound = false;   // dialled by somebody elsewhere
  bool far_side = false;  // known only from its accepting end, which is on this machine too
};

class Gatherer {
 public:
  explicit Gatherer(const Observation& seen) : seen_(seen) {
    for (const Look* look : {&seen.before, &seen.after}) {
      for (const Socket& socket : look->sockets) {
        if (socket.state == SocketState::listening) listening_.set(socket.local.port);
        if (!socket.local.address.is_any()) ours_.insert(socket.local.address);
      }
    }
    for (const Socket& socket : seen.before.sockets) remember(socket);
  }

  std::vector<Use> gather() {
    for (const Socket& socket : seen_.after.sockets) count_end(socket);
    for (const Socket& socket : seen_.after.sockets) count_left_behind(socket);
    for (const Socket& socket : seen_.sightings) count_sighting(socket);
    std::vector<Use> uses;
    for (auto& [key, group] : groups_) {
      if (seen_.only && !group.asked_for) continue;
      finish(group);
      uses.push_back(std::move(group.use));
    }
    return uses;
  }

 private:
  struct Earlier {
    SocketState state = SocketState::closed;
    std::uint64_t inode = 0;
    std::chrono::milliseconds time_left{0};
  };
  struct Group {
    Use use;
    bool asked_for = false;
    std::map<Address, std::vector<std::uint16_t>> ports;  // held, by our address
    std::map<std::string, Owner> owners;
    std::unordered_set<int> pids;
  };

  Connection place(const Socket& socket) const {
    // Of a server that has ended, what it closed last is told by its port, which is none that the kernel gives to
    // dials.
    const bool orphan = socket.inode == 0 && !seen_.ports.contains(socket.local.port) &&
                        seen_.ports.contains(socket.remote.port) && !listening_.test(socket.remote.port);
    const bool accepted = listening_.test(socket.local.port) || orphan;
    if (!accepted) return {{socket.local, socket.remote}};
    const bool within = socket.remote.address.is_loopback() || ours_.contains(socket.remote.address);
    return {{socket.remote, socket.local}, !within, within};
  }

  void remember(const Socket& socket) {
    if (socket.state == SocketState::listening) return;
    const Connection connection = place(socket);
    Earlier& earlier = before_[connection.pair];
    if (connection.far_side && earlier.state != SocketState::closed) return;  // the dialling end says more
    earlier = {socket.state, connection.far_side ? 0 : socket.inode, socket.time_left};
  }

  bool is_new(const Socket& socket, const Connection& connection) const {
    const auto found = before_.find(connection.pair);
    if (found == before_.end()) return true;
    const Earlier& earlier = found->second;
    if (socket.state != SocketState::time_wait) {
      const bool other = socket.inode != 0 && earlier.inode != 0 && socket.inode != earlier.inode;
      return earlier.state == SocketState::time_wait || (other && !connection.far_side);
    }
    // The same ends, closed again: its minute began anew.
    return earlier.state == SocketState::time_wait && socket.time_left > earlier.time_left;
  }

  // Of the second look, what was dialled here or comes from elsewhere.
  void count_end(const Socket& socket) {
    if (socket.state == SocketState::listening) return;
    const Connection connection = place(socket);
    if (connection.far_side) return;
    counted_.insert(connection.pair);
    Group& group = group_of(connection);
    ++group.use.states[static_cast<std::size_t>(socket.state)];
    if (!connection.inbound && holds_port(socket)) group.ports[socket.local.address].push_back(socket.local.port);
    if (is_new(socket, connection)) count_dial(connection, group, !is_open(socket.state));
    note_owner(socket, connection, group, true);
  }

  // Where the accepting end closed first and is on this machine too, its TIME_WAIT is all that is left.
  void count_left_behind(const Socket& socket) {
    if (socket.state != SocketState::time_wait) return;
    const Connection connection = place(socket);
    if (!connection.far_side || !counted_.insert(connection.pair).second) return;
    Group& group = group_of(connection);
    ++group.use.states[static_cast<std::size_t>(socket.state)];
    ++group.use.closed_there;
    if (is_new(socket, connection)) count_dial(connection, group, true);
  }

  // What was caught in the act; it may be all that was ever seen of the connection.
  void count_sighting(const Socket& socket) {
    const Connection connection = place(socket);
    Group& group = group_of(connection);
    if (counted_.insert(connection.pair).second && is_new(socket, connection)) count_dial(connection, group, true);
    if (!connection.far_side) note_owner(socket, connection, group, false);
  }

  void count_dial(const Connection& connection, Group& group, bool brief) {
    fresh_.insert(connection.pair);
    ++group.use.dialled;
    group.use.brief += brief;
  }

  // From the next dial to the same destination.
  bool holds_port(const Socket& socket) const {
    if (socket.state != SocketState::time_wait) return true;
    return time_wait_length - socket.time_left < seen_.ports.held_after_close(socket.remote.address);
  }

  Group& group_of(const Connection& connection) {
    // Those who are dialled from elsewhere: one group for each port of ours, whoever it is that comes.
    const Endpoint place =
        connection.inbound ? Endpoint{{}, connection.pair.destination.port} : connection.pair.destination;
    Group& group = groups_[{place, connection.inbound}];
    group.use.destination = place;
    group.use.inbound = connection.inbound;
    return group;
  }

  void note_owner(const Socket& socket, const Connection& connection, Group& group, bool at_end) {
    const auto owner = socket.inode == 0 ? seen_.owners.end() : seen_.owners.find(socket.inode);
    if (owner == seen_.owners.end()) return;
    const auto found = seen_.processes.find(owner->second);
    if (found == seen_.processes.end()) return;
    const Process& process = found->second;
    if (seen_.only && (process.pid == *seen_.only || process.parent == *seen_.only)) group.asked_for = true;
    // Those that one parent starts under one name are one; but what init has adopted has nothing in common.
    const int kin = process.parent > 1 ? process.parent : process.pid;
    Owner& entry = group.owners[std::to_string(kin) + " " + process.name + " " + process.script];
    if (group.pids.insert(process.pid).second) {
      if (entry.pids.size() < most_pids) entry.pids.push_back(process.pid);
      entry.name = name_of(process, entry.pids.size() > 1);
    }
    entry.open += at_end && is_open(socket.state);
    entry.dialled += fresh_.contains(connection.pair) && credited_.insert(socket.inode).second;
  }

  static std::string name_of(const Process& process, bool several) {
    const std::string name = process.name + (process.script.empty() ? "" : " " + process.script);
    if (!several) return name + " (pid " + std::to_string(process.pid) + ")";
    return name + " (one process after another, started by " + process.parent_name + ", pid " +
           std::to_string(process.parent) + ")";
  }

  void finish(Group& group) const {
    Use& use = group.use;
    const double seconds = std::chrono::duration<double>(seen_.after.at - seen_.before.at).count();
    use.per_second = seconds > 0 ? static_cast<double>(use.dialled) / seconds : 0;
    for (auto& [source, ports] : group.ports) {
      std::sort(ports.begin(), ports.end());
      ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
      const auto held = static_cast<std::uint64_t>(
          std::count_if(ports.begin(), ports.end(), [&](std::uint16_t port) { return seen_.ports.contains(port); }));
      if (held < use.ports_held || (held == use.ports_held && !use.source.empty())) continue;
      use.ports_held = held;
      use.source = source.describe();
    }
    if (group.ports.size() < 2) use.source.clear();
    if (seen_.ports.usable() > 0) use.share = static_cast<double>(use.ports_held) / seen_.ports.usable();
    for (auto& [name, owner] : group.owners) use.owners.push_back(std::move(owner));
    std::sort(use.owners.begin(), use.owners.end(), [](const Owner& a, const Owner& b) {
      if (a.dialled != b.dialled) return a.dialled > b.dialled;
      return a.open != b.open ? a.open > b.open : a.name < b.name;
    });
  }

  const Observation& seen_;
  std::bitset<65536> listening_;
  std::set<Address> ours_;
  std::unordered_map<Pair, Earlier, PairHash> before_;
  std::unordered_set<Pair, PairHash> counted_;
  std::unordered_set<Pair, PairHash> fresh_;    // dialled between the looks
  std::unordered_set<std::uint64_t> credited_;  // sockets whose owner has been given the dial
  std::map<std::pair<Endpoint, bool>, Group> groups_;
};

}  // namespace

std::vector<Use> gather_uses(const Observation& seen) { return Gatherer(seen).gather(); }

}  // namespace trunkline::doctor
