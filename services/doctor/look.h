// What was seen of a network namespace: two looks, and what was caught between them. Values only; look_reader.h takes
// them, diagnose.h makes sense of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "services/doctor/ports.h"
#include "services/doctor/processes.h"
#include "services/doctor/socket.h"

namespace trunkline::doctor {

// Of /proc/net/snmp, since the namespace began: these miss no dial, however short its life.
struct TcpCounters {
  std::uint64_t dials = 0;         // ActiveOpens
  std::uint64_t failed_dials = 0;  // AttemptFails, refused handshakes of others among them
};
std::optional<TcpCounters> read_tcp_counters(std::string_view snmp);

struct Look {
  TimePoint at{};
  std::vector<Socket> sockets;
  bool cut = false;  // there were more sockets than we keep
  std::optional<TcpCounters> counters;
};

// A connection that was open between the two looks.
using Sighting = Socket;

struct Observation {
  Look before;
  Look after;
  std::vector<Sighting> sightings;             // each connection once
  Owners owners;                               // of all sockets that had one, in both looks and between
  std::unordered_map<int, Process> processes;  // those of `owners`
  PortFacts ports;
  std::optional<int> only;          // a process that was asked for; none: everybody
  std::vector<std::string> unseen;  // sentences: what we could not see, and what to do
};

}  // namespace trunkline::doctor
