#include "services/autoscale_live/process_plan.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace trunkline::autoscale {
namespace {

constexpr Duration first_probe_pause = std::chrono::milliseconds(100);
constexpr Duration longest_probe_pause = std::chrono::seconds(1);
constexpr Duration look_for_ports = std::chrono::milliseconds(100);  // that others hold
constexpr Duration ready_probe_pause = std::chrono::seconds(10);
// One that is busy for a moment still serves: it is unready when so many probes in a row, a second apart, say so.
constexpr int misses_until_unready = 3;
// One probe that is not answered is a wait of so long at most: perhaps it was us who stood still.
constexpr Duration longest_wait_of_a_probe = std::chrono::seconds(5);

}  // namespace

bool ProcessPlan::is_used(int port) const {
  return std::ranges::any_of(members_, [&](const Member& member) { return member.port.port() == port; });
}

void ProcessPlan::set_rules(const ProcessRules& rules) {
  const bool other_ports = rules.ports != rules_.ports;
  rules_ = rules;
  if (!other_ports) return;
  free_ports_.clear();
  for (int port = rules.ports.first; port <= rules.ports.last; ++port) {
    if (!is_used(port)) free_ports_.push_back(port);
  }
}

ProcessPlan::Member* ProcessPlan::find(int replica) {
  const auto found = std::ranges::find(members_, replica, &Member::number);
  return found == members_.end() ? nullptr : &*found;
}

bool ProcessPlan::is_probed(const Member& member) {
  const bool phase = member.phase == Phase::starting || member.phase == Phase::ready || member.phase == Phase::unready;
  return phase && member.process != 0 && !member.probing && !member.given_up;
}

// Asked to end once, and killed when its time is over.
void ProcessPlan::end(Member& member, TimePoint now, ProcessOrders& orders) {
  if (member.process == 0) return;
  if (!std::exchange(member.told, true)) orders.signals.push_back({member.number, false});
  if (now >= member.kill_at && !std::exchange(member.killed, true)) orders.signals.push_back({member.number, true});
}

bool ProcessPlan::take_port(Member& member) {
  for (auto port = free_ports_.begin(); port != free_ports_.end(); ++port) {
    member.port = ledger_->take(*port);
    if (member.port.port() == 0) continue;
    free_ports_.erase(port);
    return true;
  }
  return false;
}

void ProcessPlan::give_back(Member& member) {
  const int port = member.port.port();
  if (port >= rules_.ports.first && port <= rules_.ports.last) free_ports_.push_back(port);
  member.port = {};
  member.process = 0;
}

void ProcessPlan::leave(Member& member, TimePoint now, TimePoint kill_at) {
  if (member.phase == Phase::leaving) {
    member.kill_at = std::min(member.kill_at, kill_at);
    return;
  }
  member.phase = Phase::leaving;
  member.since = now;
  member.kill_at = member.given_up ? std::min(member.kill_at, kill_at) : kill_at;
}

void ProcessPlan::set_desired(int replicas, const std::vector<Victim>& victims, TimePoint now) {
  desired_ = std::clamp(replicas, 0, rules_.ports.size());
  std::vector<Member*> staying;
  for (Member& member : members_) {
    if (member.phase != Phase::leaving) staying.push_back(&member);
  }
  const auto too_many = static_cast<std::ptrdiff_t>(staying.size()) - desired_;
  if (too_many > 0) {
    const auto rank = [&](const Member* member) {
      const auto named = std::ranges::find(victims, name_of(member->number), &Victim::pod);
      const int use = member->phase == Phase::ready ? 2 : member->phase == Phase::unready ? 0 : 1;
      // Who is being ended all the same costs nothing, whoever was named.
      return std::tuple(!member->given_up, named - victims.begin(), use, -member->number);
    };
    std::ranges::sort(staying, {}, rank);
    for (std::ptrdiff_t i = 0; i < too_many; ++i) leave(*staying[static_cast<std::size_t>(i)], now, now + rules_.drain);
    // Who waits for its start has nothing to end.
    std::erase_if(members_,
                  [](const Member& member) { return member.phase == Phase::leaving && member.port.port() == 0; });
  }
  for (auto more = -too_many; more > 0; --more) {
    members_.push_back({.number = next_number_++, .since = now, .start_at = now});
  }
}

void ProcessPlan::stop(TimePoint now, TimePoint by) {
  desired_ = 0;
  for (Member& member : members_) leave(member, now, std::min(by, now + rules_.drain));
  std::erase_if(members_, [](const Member& member) { return member.port.port() == 0; });
}

ProcessOrders ProcessPlan::due(TimePoint now) {
  ProcessOrders orders;
  bool none_left = false;
  for (Member& member : members_) {
    switch (member.phase) {
      case Phase::waiting:
        if (now < member.start_at || free_ports_.empty()) break;
        none_left = none_left || !take_port(member);
        member.portless = none_left;
        if (none_left) {
          member.start_at = now + look_for_ports;
          break;
        }
        member.phase = Phase::starting;
        member.attempt = next_attempt_++;
        member.probe_at = member.asked_at = now;
        member.probe_pause = first_probe_pause;
        member.probing = false;
        orders.starts.push_back({member.number, member.port.port()});
        break;
      case Phase::starting:
      case Phase::ready:
      case Phase::unready:
        if (member.given_up) end(member, now, orders);
        if (!is_probed(member) || now < member.probe_at) break;
        member.probing = true;
        orders.probes.push_back({member.number, member.attempt, member.port.port()});
        break;
      case Phase::leaving:
        end(member, now, orders);
        break;
    }
  }
  return orders;
}

TimePoint ProcessPlan::next() const {
  TimePoint next = never;
  for (const Member& member : members_) {
    if (member.phase == Phase::waiting && !free_ports_.empty()) next = std::min(next, member.start_at);
    if (member.process == 0) continue;
    if (is_probed(member)) next = std::min(next, member.probe_at);
    if (is_to_end(member) && !member.told) next = TimePoint::min();
    if (is_to_end(member) && !member.killed) next = std::min(next, member.kill_at);
  }
  return next;
}

void ProcessPlan::started(int replica, int process) {
  if (Member* member = find(replica)) member->process = process;
}

bool ProcessPlan::probed(int replica, std::uint64_t attempt, Answer answer, std::string why, TimePoint now) {
  Member* member = find(replica);
  if (!member || !member->probing || is_to_end(*member) || member->attempt != attempt) return false;
  const Phase before = member->phase;
  member->probing = false;
  const Duration since_the_last = std::min(now - std::exchange(member->asked_at, now), longest_wait_of_a_probe);
  if (answer == Answer::ready) {
    if (before == Phase::starting) member->since = now;
    member->phase = Phase::ready;
    member->trouble.clear();
    member->waited = Duration(0);
    member->misses = 0;
    member->probe_at = now + ready_probe_pause;
    return before != Phase::ready;
  }
  member->trouble = std::move(why);
  const bool starts = before == Phase::starting;
  member->probe_at = now + (starts ? member->probe_pause : longest_probe_pause);
  member->probe_pause = std::min(member->probe_pause * 3 / 2, longest_probe_pause);
  if (answer == Answer::not_asked) return false;
  member->waited = starts || answer == Answer::none ? member->waited + since_the_last : Duration(0);
  if (starts) {
    give_up_after(rules_.ready_within, *member, now);
    return false;
  }
  if (++member->misses >= misses_until_unready) member->phase = Phase::unready;
  if (member->phase == Phase::unready) give_up_after(rules_.restart_silent, *member, now);
  return member->phase != before;
}

void ProcessPlan::give_up_after(Duration limit, Member& member, TimePoint now) const {
  if (limit.count() == 0 || member.waited < limit) return;
  member.given_up = true;
  member.kill_at = now + rules_.drain;
}

void ProcessPlan::ended(int replica, std::string how, TimePoint now) {
  Member* member = find(replica);
  if (!member) return;
  give_back(*member);
  if (member->phase == Phase::leaving) {
    std::erase_if(members_, [&](const Member& one) { return one.number == replica; });
    return;
  }
  ++failures_;
  const bool served = member->phase == Phase::ready || member->phase == Phase::unready;
  if (served && now - member->since >= rules_.settled_after) member->failures_in_a_row = 0;
  if (served) member->since = now;
  Duration pause = rules_.backoff;
  for (int i = 0; i < member->failures_in_a_row && pause < rules_.longest_backoff; ++i) pause *= 2;
  ++member->failures_in_a_row;
  member->start_at = now + std::min(pause, rules_.longest_backoff);
  member->phase = Phase::waiting;
  if (!member->given_up) {
    member->trouble = "its process " + std::move(how);
  } else if (served) {
    member->trouble = "its process was ended: it had served, and then answered nothing any more";
  } else {
    member->trouble = "its process was ended: it was not ready in time (ready_within): " + member->trouble;
  }
  member->given_up = member->told = member->killed = member->probing = false;
  member->misses = 0;
  member->waited = Duration(0);
  ++member->restarts;
}

std::vector<ProcessPlan::Replica> ProcessPlan::replicas() const {
  std::vector<Replica> all;
  all.reserve(members_.size());
  for (const Member& member : members_) {
    const PodState state = member.phase == Phase::ready     ? PodState::ready
                           : member.phase == Phase::unready ? PodState::unready
                           : member.phase == Phase::leaving ? PodState::terminating
                                                            : PodState::starting;
    all.push_back({.number = member.number,
                   .port = member.port.port(),
                   .process = member.process,
                   .state = state,
                   .since = member.since,
                   .restarts = member.restarts,
                   .trouble = member.trouble});
  }
  return all;
}

std::string ProcessPlan::trouble() const {
  const auto waits = [](const Member& member) { return member.phase == Phase::waiting; };
  const auto has_no_port = [&](const Member& member) {
    return waits(member) && (free_ports_.empty() || member.portless);
  };
  if (std::ranges::any_of(members_, has_no_port)) {
    return "no port of " + std::to_string(rules_.ports.first) + "-" + std::to_string(rules_.ports.last) + " is free";
  }
  const auto failing = std::ranges::find_if(
      members_, [&](const Member& member) { return waits(member) && member.failures_in_a_row > 1; });
  if (failing != members_.end()) return name_of(failing->number) + " does not stay up: " + failing->trouble;
  const auto unready = std::ranges::find(members_, Phase::unready, &Member::phase);
  return unready == members_.end() ? ""
                                   : name_of(unready->number) + " served and does not any more: " + unready->trouble;
}

}  // namespace trunkline::autoscale
