#include "services/scrape/fleet.h"

#include <algorithm>
#include <utility>

namespace trunkline::scrape {

std::string_view to_string(TargetState state) {
  switch (state) {
    case TargetState::fresh:
      return "fresh";
    case TargetState::late:
      return "late";
    case TargetState::missing:
      return "missing";
  }
  return "missing";
}

namespace {

void add(CycleTotals& totals, const TargetSnapshot& one) {
  totals.fresh += one.state == TargetState::fresh;
  totals.late += one.state == TargetState::late;
  totals.missing += one.state == TargetState::missing;
  const TargetReport& report = one.report;
  totals.retried += report.retries > 0;
  totals.reused += report.connected && report.reused && report.retries == 0;
  totals.dials += report.connected && !report.reused && report.retries == 0;
  totals.second_tries += report.second_try;
  totals.bytes += report.bytes;
  totals.samples += report.samples;
}

}  // namespace

Fleet::Fleet(const ScheduleSettings& settings, TimePoint origin, TimePoint now)
    : settings_(settings), schedule_(settings, origin, now) {}

TargetChanges Fleet::set_targets(const std::vector<TargetPtr>& targets, TimePoint now) {
  TargetChanges changed = changes(targets_, targets);
  for (const TargetPtr& gone : changed.removed) {
    const auto found = ids_.find(gone->identity);
    schedule_.remove(found->second);
    members_.erase(found->second);
    ids_.erase(found);
  }
  for (const TargetPtr& target : changed.relabelled) {
    const TargetId id = ids_.at(target->identity);
    members_.at(id).target = target;
  }
  for (const TargetPtr& target : changed.added) {
    const TargetId id = next_id_++;
    ids_.emplace(target->identity, id);
    members_[id].target = target;
    schedule_.add(id, target->hash, now);
  }
  targets_.clear();
  for (const auto& [id, member] : members_) targets_.push_back(member.target);
  share_among_jobs(targets);
  return changed;
}

void Fleet::share_among_jobs(const std::vector<TargetPtr>& targets) {
  for (auto& [id, member] : members_) member.of_other_jobs.clear();
  std::unordered_map<TargetId, Duration> ahead;  // the longest that any of them asks for
  for (const TargetPtr& target : targets) {
    const TargetId id = ids_.at(target->identity);
    Duration& longest = ahead[id];
    longest = std::max<Duration>(longest, target->job->prewarm);
    Member& member = members_.at(id);
    const auto is_of_its_job = [&](const TargetPtr& known) { return known->job->name == target->job->name; };
    if (is_of_its_job(member.target) || std::ranges::any_of(member.of_other_jobs, is_of_its_job)) continue;
    member.of_other_jobs.push_back(target);
  }
  for (const auto& [id, longest] : ahead) schedule_.set_ahead(id, longest);
}

bool Fleet::answered(TargetId target, Answer answer) {
  schedule_.ended(target, ending_of(answer.report.outcome, answer.report.status));
  const auto found = members_.find(target);
  if (found == members_.end()) return true;  // it has gone meanwhile
  Member& member = found->second;
  answer.report.second_try = member.second_try;
  if (member.asked_in == schedule_.cycle()) {
    member.answer = std::move(answer);
    return true;
  }
  if (answer.report.up()) member.late = std::move(answer);
  return false;
}

Fleet::Step Fleet::advance(TimePoint now) {
  Step step;
  Orders orders = schedule_.due(now);
  if (orders.cut_off) step.snapshot = cut_off(*orders.cut_off);
  for (const TargetId id : orders.warm) {
    const auto found = members_.find(id);
    if (found != members_.end()) step.warm.emplace_back(id, found->second.target);
  }
  step.asks.reserve(orders.starts.size());
  for (const Start& start : orders.starts) {
    const auto found = members_.find(start.target);
    if (found == members_.end()) continue;
    found->second.asked = true;
    found->second.asked_in = schedule_.cycle();
    found->second.second_try = start.second_try;
    step.asks.push_back({found->second.target, start});
  }
  return step;
}

// What counts of one target, which begins anew.
TargetSnapshot Fleet::seen(Member& member, TimePoint cut_off) {
  TargetSnapshot seen;
  seen.target = member.target;
  const std::optional<Answer> answer = std::exchange(member.answer, std::nullopt);
  const std::optional<Answer> late = std::exchange(member.late, std::nullopt);
  const bool asked = std::exchange(member.asked, false);
  if (answer) {
    seen.report = answer->report;
    seen.report.second_try |= member.second_try;  // which may be silent still
  } else if (asked) {
    seen.report.outcome = Outcome::no_answer_yet;
    seen.report.reason = "it had not answered by the cut-off; an answer until its timeout counts next time";
    seen.report.second_try = member.second_try;
  } else {
    seen.report.reason =
        "it was not asked before the cut-off: new, still silent since an earlier cycle, or too many "
        "others were under way";
  }
  member.second_try = false;
  const Answer* counts = answer && answer->report.up() ? &*answer : late ? &*late : nullptr;
  if (counts == nullptr) return seen;
  seen.state = answer && answer->report.up() ? TargetState::fresh : TargetState::late;
  seen.samples = counts->samples;
  seen.taken = counts->taken;
  seen.age = std::max(cut_off - counts->taken, Duration::zero());
  return seen;
}

SnapshotPtr Fleet::cut_off(const CutOff& cut_off) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->cycle = cut_off.cycle;
  snapshot->cut_off = cut_off.at;
  snapshot->interval = settings_.interval;
  snapshot->targets.reserve(members_.size());
  for (auto& [id, member] : members_) {
    const TargetSnapshot one = seen(member, cut_off.at);
    add(snapshot->totals, one);
    snapshot->targets.push_back(one);
    for (const TargetPtr& other : member.of_other_jobs) snapshot->targets.emplace_back(one).target = other;
  }
  std::sort(snapshot->targets.begin(), snapshot->targets.end(), [](const auto& a, const auto& b) {
    return std::tie(a.target->url, a.target->identity, a.target->job->name) <
           std::tie(b.target->url, b.target->identity, b.target->job->name);
  });
  return snapshot;
}

}  // namespace trunkline::scrape
