#include "services/autoscale_replay/world.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace trunkline::autoscale {
namespace {

constexpr double observations_a_second = 20;

// In parts of the target.
constexpr std::array bucket_bounds = {
    0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, std::numeric_limits<double>::infinity()};

Error cannot_split(const Policy& policy) {
  return {ErrorCode::invalid_options, Phase::prepare,
          "policy " + policy.name +
              " has several targets or roles, and made-up load does not say how it is split over "
              "them: replay a recording with --input"};
}

MadeUpMetric from_native(const MetricPolicy& metric) {
  MadeUpMetric out{.name = metric.name, .target = metric.target.value, .external = metric.source == Source::external};
  if (metric.target.kind == MetricTarget::Kind::band) out.target = (metric.target.low + metric.target.value) / 2;
  out.ratio = metric.target.kind == MetricTarget::Kind::total;
  if (metric.reading == Reading::rate) out.kind = MadeUpMetric::Kind::counter;
  if (metric.reading == Reading::quantile) out.kind = MadeUpMetric::Kind::histogram;
  return out;
}

MadeUpMetric from_hpa(const HpaMetric& metric) {
  using Type = HpaMetric::Type;
  const bool resource = metric.type == Type::resource || metric.type == Type::container_resource;
  const bool utilization = metric.target == HpaMetric::TargetType::utilization;
  return {.name = metric.name,
          .target = utilization ? metric.value / 100 : metric.value,
          .external = metric.type == Type::object || metric.type == Type::external,
          .ratio = metric.target == HpaMetric::TargetType::value,
          .container = metric.container,
          .resource = resource ? metric.name : ""};
}

MadeUpMetric from_kthena(const KthenaMetric& metric) {
  MadeUpMetric out{.name = metric.name, .target = metric.target, .external = metric.external};
  if (metric.kind == KthenaMetric::Kind::counter) out.kind = MadeUpMetric::Kind::counter;
  if (metric.kind == KthenaMetric::Kind::histogram) out.kind = MadeUpMetric::Kind::histogram;
  return out;
}

}  // namespace

Result<std::vector<MadeUpMetric>> metrics_of(const Policy& policy) {
  std::vector<MadeUpMetric> out;
  if (const auto* native = std::get_if<NativePolicy>(&policy.rules)) {
    if (!native->targets.empty()) return cannot_split(policy);
    for (const MetricPolicy& metric : native->metrics) {
      if (!metric.veto) out.push_back(from_native(metric));
    }
    if (!native->drain.rank_by.empty()) out.push_back({.name = native->drain.rank_by});
  } else if (const auto* hpa = std::get_if<HpaPolicy>(&policy.rules)) {
    for (const HpaMetric& metric : hpa->metrics) out.push_back(from_hpa(metric));
  } else {
    const auto& kthena = std::get<KthenaPolicy>(policy.rules);
    if (!kthena.targets.empty() || !kthena.roles.empty()) return cannot_split(policy);
    for (const KthenaMetric& metric : kthena.metrics) out.push_back(from_kthena(metric));
  }
  // One series for one name, whoever else asks for it.
  std::vector<MadeUpMetric> unique;
  for (MadeUpMetric& metric : out) {
    const auto same = [&](const MadeUpMetric& other) {
      return other.name == metric.name && other.container == metric.container && other.external == metric.external;
    };
    if (std::none_of(unique.begin(), unique.end(), same)) unique.push_back(std::move(metric));
  }
  return unique;
}

World::World(const Scenario& scenario, std::vector<MadeUpMetric> metrics, int replicas)
    : scenario_(scenario), metrics_(std::move(metrics)), replicas_(replicas) {
  // They have served for long when the story begins.
  const TimePoint long_ago = TimePoint{} - std::chrono::hours(1);
  for (int i = 0; i < replicas; ++i) add_member(long_ago, long_ago);
}

void World::add_member(TimePoint now, TimePoint ready_at) {
  std::string number = std::to_string(next_number_++);
  number.insert(0, number.size() < 4 ? 4 - number.size() : 0, '0');
  members_.push_back({.name = "pod-" + number, .started = now, .ready_at = ready_at});
}

int World::ready(TimePoint now) const {
  return static_cast<int>(
      std::count_if(members_.begin(), members_.end(), [&](const Member& member) { return serves(member, now); }));
}

// One new pod before one old one goes, as a Deployment with a surge does it.
void World::roll_out(TimePoint now) {
  if (scenario_.shape != Shape::rollout) return;
  if (rolled_out_of_ == 0) rolled_out_of_ = replicas_;
  const int wanted = replaced_by(scenario_, now.time_since_epoch(), rolled_out_of_);
  int fresh = 0;
  int fresh_ready = 0;
  for (const Member& member : members_) {
    if (member.old_version || member.gone_at != never) continue;
    ++fresh;
    fresh_ready += member.ready_at <= now;
  }
  for (; fresh < wanted; ++fresh) {
    add_member(now, now + scenario_.startup);
    members_.back().old_version = false;
  }
  int old_left = 0;
  for (const Member& member : members_) old_left += member.old_version && member.gone_at == never;
  const int old_wanted = std::max(0, rolled_out_of_ - fresh_ready);
  for (Member& member : members_) {
    if (old_left <= old_wanted || wanted == 0) break;
    if (!member.old_version || member.gone_at != never) continue;
    retire(member, now);
    --old_left;
  }
}

Sample World::measure(Member& member, const MadeUpMetric& metric, TimePoint now, double load) const {
  const double leak = metric.kind == MadeUpMetric::Kind::gauge ? leaked_at(scenario_, now.time_since_epoch()) : 0;
  const double seconds = std::chrono::duration<double>(now - last_).count();
  Sample sample{.metric = metric.name, .value = (load + leak) * metric.target, .container = metric.container};
  double& total = member.totals[metric.name];
  if (metric.kind == MadeUpMetric::Kind::counter) {
    total += load * metric.target * seconds;
    sample.value = total;
    sample.since = member.started;
  }
  if (metric.kind == MadeUpMetric::Kind::histogram) {
    // All observations are the same value, so that every quantile is about the load.
    for (const double bound : bucket_bounds) {
      double& count = member.totals[metric.name + ' ' + std::to_string(bound)];
      if (load <= bound) count += observations_a_second * seconds;
      sample.buckets.push_back({bound * metric.target, count});
    }
    sample.value = sample.buckets.back().cumulative;
    sample.since = member.started;
  }
  return sample;
}

Pod World::show(Member& member, TimePoint now, double load, bool silent) {
  Pod pod{.name = member.name, .started = member.started};
  pod.ready = member.ready_at <= now;
  pod.ready_changed = *pod.ready ? member.ready_at : member.started;
  for (const MadeUpMetric& metric : metrics_) {
    if (!metric.resource.empty()) pod.requests.push_back({metric.container, metric.resource, 1});
  }
  if (member.gone_at != never) {
    pod.state = PodState::terminating;
    pod.deleted = member.gone_at - scenario_.drain;
    // Its load has moved to the others, and it says so: silence would be taken for the load that it had.
    if (*pod.ready) show_samples(member, now, 0, pod);
    return pod;
  }
  pod.state = !*pod.ready ? PodState::starting : silent ? PodState::missing : PodState::ready;
  pod.phase = *pod.ready ? PodPhase::running : PodPhase::pending;
  if (*pod.ready) show_samples(member, now, load, pod);
  if (silent) pod.samples.clear();  // measured, but nobody hears it
  return pod;
}

void World::show_samples(Member& member, TimePoint now, double load, Pod& pod) const {
  for (const MadeUpMetric& metric : metrics_) {
    if (!metric.external) pod.samples.push_back(measure(member, metric, now, load));
  }
}

Tick World::observe(TimePoint now) {
  std::erase_if(members_, [&](const Member& member) { return member.gone_at <= now; });
  roll_out(now);
  Tick tick{.at = now};
  tick.seen.current = replicas_;
  const double demand = this->demand(now);
  const int serving = ready(now);
  const double load = serving > 0 ? demand / serving : 0;
  int silent = is_silent(scenario_, now.time_since_epoch()) ? std::max(1, serving / 10) : 0;
  for (Member& member : members_) {
    const bool is_silent_one = silent > 0 && serves(member, now);
    silent -= is_silent_one;
    tick.seen.pods.push_back(show(member, now, load, is_silent_one));
  }
  for (const MadeUpMetric& metric : metrics_) {
    if (!metric.external) continue;
    const double of = metric.ratio ? (serving > 0 ? load : demand) : demand;
    tick.seen.external.push_back({.metric = metric.name, .value = of * metric.target});
  }
  last_ = now;
  return tick;
}

void World::obey(const Decision& decision, TimePoint now) {
  int more = decision.desired - replicas_;
  replicas_ = decision.desired;
  for (; more > 0; --more) add_member(now, now + scenario_.startup);
  // The victims that were named leave first, then the youngest.
  for (const Victim& victim : decision.victims) {
    for (Member& member : members_) {
      if (more >= 0 || member.name != victim.pod || member.gone_at != never) continue;
      retire(member, now);
      ++more;
    }
  }
  for (auto member = members_.rbegin(); member != members_.rend() && more < 0; ++member) {
    if (member->gone_at != never) continue;
    retire(*member, now);
    ++more;
  }
}

}  // namespace trunkline::autoscale
