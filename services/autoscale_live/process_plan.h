// Which processes a fleet of local processes needs, and what to do about it next. Pure: the clock is a parameter, and
// whoever performs the orders reports how they went.
//
//   waiting --start--> starting --probe--> ready <--probes--> unready
//      ^                  |                  |                  |
//      '--- later, and later each time, on an exit that nobody asked for, or that we did: it took too long
//
//   any of them --told to go--> leaving --exit--> forgotten
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/autoscale_live/port_ledger.h"
#include "services/autoscale_live/scale_target.h"

namespace trunkline::autoscale {

struct PortRange {
  int first = 0;
  int last = -1;
  int size() const { return last - first + 1; }
  bool operator==(const PortRange&) const = default;
};

struct ProcessRules {
  PortRange ports = {};
  Duration drain = std::chrono::seconds(30);           // from SIGTERM to SIGKILL
  Duration backoff = std::chrono::seconds(1);          // before the first restart; doubles with each
  Duration longest_backoff = std::chrono::minutes(1);  // and no longer than this
  Duration settled_after = std::chrono::minutes(1);    // ready for so long, and its failures are forgotten
  Duration ready_within = std::chrono::minutes(30);    // started, and not ready once for so long: again; 0: left alone
  Duration restart_silent = std::chrono::minutes(5);   // served, then not one answer for so long: again; 0: left alone
};

struct ProcessOrders {
  struct Start {
    int replica = 0;
    int port = 0;
  };
  struct Probe {
    int replica = 0;
    std::uint64_t attempt = 0;  // to be given back, so that no late answer speaks for another process
    int port = 0;
  };
  struct Signal {
    int replica = 0;
    bool kill = false;  // SIGKILL; otherwise SIGTERM
  };
  std::vector<Start> starts = {};
  std::vector<Probe> probes = {};
  std::vector<Signal> signals = {};
};

class ProcessPlan {
 public:
  // Numbers count from `first_number`. The ledger is shared by all whose ports may ever be the same.
  ProcessPlan(std::string fleet, const ProcessRules& rules,
              std::shared_ptr<PortLedger> ledger = std::make_shared<PortLedger>(), int first_number = 1)
      : fleet_(std::move(fleet)), ledger_(std::move(ledger)), next_number_(first_number) {
    set_rules(rules);
  }

  // What runs stays as it is, also on a port that is no longer in the range.
  void set_rules(const ProcessRules& rules);
  // Those named leave first, then those that do not serve any more, then those that do not yet, then the youngest. At
  // most one for each port.
  void set_desired(int replicas, const std::vector<Victim>& victims, TimePoint now);
  int desired() const { return desired_; }
  // All leave, and no later than `by`.
  void stop(TimePoint now, TimePoint by);

  ProcessOrders due(TimePoint now);
  TimePoint next() const;  // when due() has something to say, if nothing is reported before

  // What came of a probe. A refusal is an answer of one that lives: of those that have served, only silence leads to a
  // restart. `not_asked` when it was our own doing that nothing reached the process.
  enum class Answer : unsigned char { ready, refused, none, not_asked };

  void started(int replica, int process);
  // True when its state is another one now.
  bool probed(int replica, std::uint64_t attempt, Answer answer, std::string why, TimePoint now);
  // Its process is gone, or never came to be; `how` is a phrase such as "ended with code 1".
  void ended(int replica, std::string how, TimePoint now);

  // By number. Names are "FLEET-NUMBER"; numbers are not given again.
  struct Replica {
    int number = 0;
    int port = 0;
    int process = 0;
    PodState state = PodState::starting;
    TimePoint since{};  // of one that starts: since when it has tried
    int restarts = 0;
    std::string trouble = {};
  };
  std::vector<Replica> replicas() const;
  std::string name_of(int number) const { return fleet_ + "-" + std::to_string(number); }
  std::string trouble() const;  // what keeps all of it from going on, or empty
  bool empty() const { return members_.empty(); }
  int next_number() const { return next_number_; }
  // Processes that ended unasked, or that we ended because they took too long to be ready or to answer; ever.
  std::uint64_t failures() const { return failures_; }

 private:
  enum class Phase : unsigned char { waiting, starting, ready, unready, leaving };
  struct Member {
    int number = 0;
    Phase phase = Phase::waiting;
    PortLedger::Hold port = {};
    int process = 0;
    std::uint64_t attempt = 0;
    TimePoint since{};
    TimePoint start_at{};  // waiting
    TimePoint probe_at{};  // starting, ready and unready
    TimePoint asked_at{};  // when it started, or a probe was last over
    Duration waited{0};    // starting: while it was asked, and not ready; later: while it answered nothing
    TimePoint kill_at{};   // when it is to end
    Duration probe_pause{0};
    bool portless = false;  // waiting: whoever holds our free ports, it is none of ours
    bool probing = false;
    bool given_up = false;  // it is to end, and to be started again
    bool told = false;
    bool killed = false;
    int misses = 0;  // probes in a row that did not find it ready
    int restarts = 0;
    int failures_in_a_row = 0;
    std::string trouble = {};
  };

  Member* find(int replica);
  static bool is_probed(const Member& member);
  static bool is_to_end(const Member& member) { return member.phase == Phase::leaving || member.given_up; }
  void give_up_after(Duration limit, Member& member, TimePoint now) const;
  void end(Member& member, TimePoint now, ProcessOrders& orders);
  void leave(Member& member, TimePoint now, TimePoint kill_at);
  bool take_port(Member& member);
  void give_back(Member& member);
  bool is_used(int port) const;

  const std::string fleet_;
  const std::shared_ptr<PortLedger> ledger_;
  ProcessRules rules_;
  int desired_ = 0;
  int next_number_;
  std::uint64_t next_attempt_ = 1;
  std::uint64_t failures_ = 0;
  std::vector<Member> members_;  // by number
  std::deque<int> free_ports_;   // the one that has rested longest first: whatever else holds it may be gone by then
};

}  // namespace trunkline::autoscale
