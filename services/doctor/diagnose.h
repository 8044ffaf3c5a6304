// From two looks to what is wrong, in words and with the arithmetic. Pure: the same observation gives the same
// findings.
//
// A connection is counted where it was dialled. Which end that is, is told by ports on which somebody listens; of a
// connection within this machine the two ends are one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/doctor/look.h"

namespace trunkline::doctor {

// Who dials, or serves. Programs that are started again and again count as one, by name and parent.
struct Owner {
  std::string name;           // "python3 churn.py (pid 41)", "curl (a new process each time, started by bash (pid 7))"
  std::vector<int> pids;      // at most 10
  std::uint64_t open = 0;     // connections, at the end
  std::uint64_t dialled = 0;  // that were caught, in the interval
};

struct Use {
  Endpoint destination;                                    // of connections from elsewhere: our own end
  bool inbound = false;                                    // others dialled us
  std::array<std::uint64_t, socket_state_count> states{};  // at the end, by SocketState
  std::uint64_t closed_there = 0;  // of the TIME_WAITs, how many lie at the other end: they hold none of our ports
  std::uint64_t dialled = 0;       // in the interval
  std::uint64_t brief = 0;         // of those, how many were closed by its end
  double per_second = 0;           // dialled
  std::uint64_t ports_held = 0;    // of the range, from that local address which holds most
  std::string source;              // that address, when the destination is not reached from one only
  double share = 0;                // ports_held of those usable
  std::vector<Owner> owners;       // the busiest first

  std::uint64_t state(SocketState which) const { return states[static_cast<std::size_t>(which)]; }
  std::uint64_t open() const;  // neither closed nor closing on both sides
};

enum class Severity : unsigned char { note, warning, critical };
std::string_view to_string(Severity severity);

struct Finding {
  std::string code;  // churn, ports_low, time_wait, not_closed, no_answer, untraced, failed_dials
  Severity severity = Severity::note;
  std::string sentence;
  std::string destination;  // empty: of the whole namespace
  std::vector<int> pids;
};

struct Diagnosis {
  double seconds = 0;  // between the looks
  PortFacts ports;
  std::vector<Use> uses;  // the most troubled first, at most 1,000
  std::uint64_t uses_left_out = 0;
  std::uint64_t dials = 0;                    // in the interval, of those we can tell apart
  bool whole_namespace = true;                // false: of one process only
  std::optional<std::uint64_t> dials_in_all;  // by the kernel's count, of the whole namespace
  std::uint64_t failed_in_all = 0;            // of the same
  std::vector<Finding> findings;              // the gravest first
  std::vector<std::string> unseen;
};

Diagnosis diagnose(const Observation& seen);

}  // namespace trunkline::doctor
