#include "services/autoscale_live/autoscaler.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <utility>

namespace trunkline::autoscale {
namespace {

constexpr Duration look_again = std::chrono::seconds(1);  // at targets that tell nobody of their changes
constexpr Duration between_saves = std::chrono::seconds(5);

// Processes stay as they are, and those that start from now on are of the new settings. False: it takes another target.
bool goes_on(ScaleTarget& running, const FleetSettings& settings) {
  if (const auto* process = std::get_if<ProcessTargetSettings>(&settings.target)) {
    auto* const same = dynamic_cast<ProcessTarget*>(&running);
    if (same) same->change(*process);
    return same != nullptr;
  }
  const auto* split = std::get_if<SplitSettings>(&settings.target);
  auto* const parts = dynamic_cast<SplitTarget*>(&running);
  if (split && parts) parts->change(*split, settings.policy);
  return split && parts;
}

constexpr std::size_t most_remembered = 1000;  // fleets that are gone

template <class T>
void bound(std::map<std::string, T>& known) {
  if (known.size() > most_remembered) known.erase(known.begin());
}

}  // namespace

// What others leave for the deciding thread. It outlives us where a probe or a cycle is still under way.
struct Autoscaler::Inbox {
  void put(const std::string& fleet, const scrape::SnapshotPtr& cycle) {
    {
      const std::lock_guard lock(mutex);
      cycles[fleet] = cycle;  // only the newest is worth a decision
    }
    changed.notify_all();
  }
  void wake() {
    {
      const std::lock_guard lock(mutex);
      woken = true;
    }
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, scrape::SnapshotPtr> cycles;
  bool woken = false;
  bool stopping = false;
};

Result<std::unique_ptr<Autoscaler>> Autoscaler::create(AutoscalerSettings settings, AutoscalerSeams seams) {
  if (Result<void> good = check(settings); !good) return good.error();
  return std::unique_ptr<Autoscaler>(new Autoscaler(std::move(settings), std::move(seams)));
}

Autoscaler::Autoscaler(AutoscalerSettings settings, AutoscalerSeams seams)
    : inbox_(std::make_shared<Inbox>()), settings_(std::move(settings)), seams_(std::move(seams)) {
  if (settings_.state.empty()) return;
  Result<States> states = load_states(settings_.state, time_.now());
  if (states) {
    remembered_ = std::move(*states);
    return;
  }
  // Whatever it is, the next save must not destroy it.
  const std::string aside = settings_.state + ".refused";
  const bool moved = std::rename(settings_.state.c_str(), aside.c_str()) == 0;
  memory_trouble_ = states.error().message +
                    (moved ? "; it is now " + aside + ", and nothing is remembered" : "; nothing is remembered");
}

Autoscaler::~Autoscaler() { drain(Duration::zero()); }

Duration Autoscaler::interval_of(const FleetSettings& settings) const {
  return settings.interval != Duration::zero() ? settings.interval : settings_.interval;
}

std::shared_ptr<Recorder> Autoscaler::recorder_of(const std::string& fleet) const {
  if (settings_.record.empty()) return nullptr;
  constexpr std::string_view place = "${fleet}";
  std::string path = settings_.record;
  const std::size_t at = path.find(place);
  if (at != std::string::npos) path.replace(at, place.size(), fleet);
  return std::make_shared<Recorder>(std::move(path), settings_.record_bytes);
}

std::shared_ptr<ScaleTarget> Autoscaler::make_target(const FleetSettings& settings, const State& state) {
  const int replicas = remembered_replicas(state, settings.policy);
  if (const auto* process = std::get_if<ProcessTargetSettings>(&settings.target)) {
    return std::make_shared<ProcessTarget>(
        settings.policy.name, *process, replicas, [inbox = inbox_] { inbox->wake(); }, ports_);
  }
  if (const auto* split = std::get_if<SplitSettings>(&settings.target)) {
    return std::make_shared<SplitTarget>(
        settings.policy.name, *split, remembered_split(state, settings.policy), [inbox = inbox_] { inbox->wake(); },
        ports_);
  }
  if (const auto* webhook = std::get_if<WebhookSettings>(&settings.target)) {
    return std::make_shared<WebhookTarget>(*webhook);
  }
  return std::make_shared<DryRunTarget>(std::get<DryRunSettings>(settings.target));
}

namespace {

// What was wanted before a break longer than the window holds nothing up any more: then it is as without a memory, and
// what there is counts as wanted for one window.
void forget_stale(State& state, const Policy& policy, TimePoint now) {
  const auto* native = std::get_if<NativePolicy>(&policy.rules);
  if (native == nullptr || state.recommendations.empty()) return;
  if (now - state.recommendations.back().at > native->down.stabilise) state.recommendations.clear();
}

}  // namespace

Result<void> Autoscaler::start() {
  const std::lock_guard lock(work_mutex_);
  for (const FleetSettings& fleet : settings_.fleets) adopt(fleet);
  make_groups();
  running_ = true;
  thread_ = std::thread([this] { run(); });
  return {};
}

void Autoscaler::adopt(const FleetSettings& settings) {
  const std::string& name = settings.policy.name;
  auto member = std::make_shared<Member>();
  State state;
  if (const auto known = remembered_.find(name); known != remembered_.end()) state = known->second;
  forget_stale(state, settings.policy, time_.now());
  member->target = make_target(settings, state);  // it may fail: then the memory is needed again
  remembered_.erase(name);
  const auto number = numbers_.find(name);
  member->settings = settings;
  member->fleet = std::make_shared<LiveFleet>(settings, std::move(state), number == numbers_.end() ? 1 : number->second,
                                              settings_.history);
  member->recorder = recorder_of(name);
  if (starts_processes(settings.target)) {
    member->job = std::make_shared<scrape::Job>(scrape::Job{.name = name});
  }
  const std::lock_guard lock(mutex_);
  members_[name] = std::move(member);
}

// Collectors for the intervals that are in use, and no others; members that have another one now subscribe to it.
void Autoscaler::make_groups() {
  std::set<Duration> wanted;
  for (const auto& [name, member] : members_) {
    if (member->job) wanted.insert(interval_of(member->settings));
  }
  for (const Duration interval : wanted) {
    Group& group = groups_[interval];
    if (group.collector) continue;
    scrape::CollectorSettings collector{.schedule = scrape::settings_for(interval)};
    collector.discovery = std::min<Duration>(std::chrono::seconds(1), interval / 10);
    if (settings_.open_per_process > 0) collector.options.limits.open_per_host = settings_.open_per_process;
    group.source = std::make_shared<scrape::SetSource>();
    group.collector =
        std::make_shared<scrape::Collector>(collector, std::vector<std::shared_ptr<scrape::Source>>{group.source});
  }
  for (const auto& [name, member] : members_) subscribe(*member);
  // Subscribers first, or they would miss a cycle.
  for (const Duration interval : wanted) {
    Group& group = groups_[interval];
    const auto known = collectors_.find(interval);
    const bool is_new = known == collectors_.end() || known->second != group.collector;
    if (is_new) [[maybe_unused]]
      const Result<void> started = group.collector->start();
  }
  for (auto group = groups_.begin(); group != groups_.end();) {
    if (!wanted.contains(group->first)) group->second.collector->stop();
    group = wanted.contains(group->first) ? std::next(group) : groups_.erase(group);
  }
  const std::lock_guard lock(mutex_);
  collectors_.clear();
  for (const auto& [interval, group] : groups_) collectors_[interval] = group.collector;
}

void Autoscaler::subscribe(Member& member) {
  std::shared_ptr<scrape::Collector> collector =
      member.job ? groups_[interval_of(member.settings)].collector : seams_.jobs;
  if (collector == member.collector) return;
  unsubscribe(member);
  if (!collector) return;
  member.subscription = collector->subscribe(wants_of(member.settings.policy),
                                             [inbox = inbox_, name = member.settings.policy.name](
                                                 const scrape::SnapshotPtr& cycle) { inbox->put(name, cycle); });
  const std::lock_guard lock(mutex_);
  member.collector = std::move(collector);
}

void Autoscaler::unsubscribe(Member& member) {
  if (member.collector) member.collector->unsubscribe(member.subscription);
  const std::lock_guard lock(mutex_);
  member.collector = nullptr;
}

void Autoscaler::remember(const Member& member) {
  const std::string& name = member.settings.policy.name;
  remembered_[name] = member.fleet->state();
  numbers_[name] = member.fleet->next_number();
  bound(remembered_);
  bound(numbers_);
  changed_since_saved_ = true;
}

void Autoscaler::retire(Member& member) {
  unsubscribe(member);
  remember(member);
  member.target->begin_stop(as_long_as_it_takes);
  retired_.push_back(member.target);
}

void Autoscaler::adapt(Member& member, const FleetSettings& settings) {
  if (!goes_on(*member.target, settings) && settings.target != member.settings.target) {
    const std::shared_ptr<ScaleTarget> target = make_target(settings, member.fleet->state());  // first: it may fail
    member.target->begin_stop(as_long_as_it_takes);
    retired_.push_back(member.target);
    const std::lock_guard lock(mutex_);
    member.target = target;
  }
  // Whoever wants something else must say so, and waits for the next cycle.
  const bool wants_another = metrics_of_pods(settings.policy) != member.fleet->metrics();
  if (wants_another) unsubscribe(member);
  if (settings != member.settings) {
    // What was seen under the old settings may lack what the new ones want.
    const std::lock_guard inbox(inbox_->mutex);
    inbox_->cycles.erase(settings.policy.name);
  }
  member.fleet->change(settings, settings_.history);
  const std::lock_guard lock(mutex_);
  member.settings = settings;
  member.recorder = recorder_of(settings.policy.name);
  member.job = starts_processes(settings.target)
                   ? std::make_shared<scrape::Job>(scrape::Job{.name = settings.policy.name})
                   : nullptr;
}

Result<void> Autoscaler::reload(AutoscalerSettings settings) {
  if (Result<void> good = check(settings); !good) return good;
  const std::lock_guard lock(work_mutex_);
  settings_ = std::move(settings);
  std::vector<std::shared_ptr<Member>> gone;
  {
    const std::lock_guard members(mutex_);
    std::erase_if(members_, [&](const auto& known) {
      const bool stays = std::ranges::any_of(
          settings_.fleets, [&](const FleetSettings& fleet) { return fleet.policy.name == known.first; });
      if (!stays) gone.push_back(known.second);
      return !stays;
    });
  }
  for (const auto& member : gone) retire(*member);
  for (const FleetSettings& fleet : settings_.fleets) {
    const auto known = members_.find(fleet.policy.name);
    if (known == members_.end()) {
      adopt(fleet);
    } else {
      adapt(*known->second, fleet);
    }
  }
  make_groups();
  inbox_->wake();
  return {};
}

void Autoscaler::set_jobs(std::shared_ptr<scrape::Collector> jobs) {
  const std::lock_guard lock(work_mutex_);
  seams_.jobs = std::move(jobs);
  for (const auto& [name, member] : members_) {
    if (!member->job) subscribe(*member);
  }
}

void Autoscaler::run() {
  for (;;) {
    {
      std::unique_lock lock(inbox_->mutex);
      inbox_->changed.wait_for(lock, look_again,
                               [&] { return inbox_->woken || inbox_->stopping || !inbox_->cycles.empty(); });
      if (inbox_->stopping) return;
      inbox_->woken = false;
    }
    work();
  }
}

void Autoscaler::work() {
  const std::lock_guard lock(work_mutex_);
  std::map<std::string, scrape::SnapshotPtr> cycles;
  {
    const std::lock_guard inbox(inbox_->mutex);
    cycles = std::exchange(inbox_->cycles, {});
  }
  for (const auto& [name, cycle] : cycles) {
    const auto member = members_.find(name);
    if (member != members_.end()) decide(*member->second, cycle);
  }
  tell_collectors();
  for (const auto& [name, member] : members_) member->target->observe(Clock::now());  // some ask only when looked at
  std::erase_if(retired_, [](const std::shared_ptr<ScaleTarget>& target) { return target->gone(); });
  save_if_due(Clock::now(), false);
}

void Autoscaler::decide(Member& member, const scrape::SnapshotPtr& cycle) {
  const std::string& name = member.settings.policy.name;
  const TargetView view = member.target->observe(Clock::now());
  std::vector<ExternalValue> external;
  if (seams_.external) external = seams_.external(name);
  const DecisionPtr entry = member.fleet->decide(view, cycle.get(), std::move(external), time_, cycle->cut_off);
  if (!entry) return;
  changed_since_saved_ = true;
  if (!entry->decision.dry_run) member.target->apply(entry->decision);
  if (!member.recorder) return;
  const Result<void> recorded = member.recorder->add({.at = entry->decision.at, .seen = entry->seen});
  const std::lock_guard lock(mutex_);
  member.record_trouble = recorded ? "" : recorded.error().message;
}

// Which processes there are to be asked: those that serve, and those that leave for as long as they answer.
void Autoscaler::tell_collectors() {
  for (auto& [interval, group] : groups_) {
    std::map<std::string, scrape::TargetPtr> targets;
    for (const auto& [name, member] : members_) {
      if (member->collector != group.collector) continue;
      for (const TargetPod& pod : member->target->observe(Clock::now()).pods) {
        if (pod.url.empty() || pod.state == PodState::starting) continue;
        const auto known = group.targets.find(pod.url);
        if (known != group.targets.end()) {
          targets.insert(*known);
        } else if (Result<scrape::TargetPtr> target = scrape::make_target(member->job, pod.url, {{"pod", pod.name}})) {
          targets.emplace(pod.url, std::move(*target));
        }
      }
    }
    if (targets == group.targets) continue;
    std::vector<scrape::TargetPtr> list;
    list.reserve(targets.size());
    for (const auto& [url, target] : targets) list.push_back(target);
    group.source->set(std::move(list));
    group.targets = std::move(targets);
  }
}

void Autoscaler::save_if_due(TimePoint now, bool at_once) {
  if (settings_.state.empty() || !changed_since_saved_ || (!at_once && now < save_at_)) return;
  States states = remembered_;
  for (const auto& [name, member] : members_) states[name] = member->fleet->state();
  const Result<void> saved = save_states(settings_.state, states, time_.of(now));
  save_at_ = now + between_saves;
  changed_since_saved_ = !saved;
  const std::lock_guard lock(mutex_);
  save_trouble_ = saved ? "" : saved.error().message;
}

bool Autoscaler::drain(Duration limit) {
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->stopping = true;
  }
  inbox_->changed.notify_all();
  if (thread_.joinable()) thread_.join();
  if (!running_.exchange(false)) return true;

  const std::lock_guard lock(work_mutex_);
  for (const auto& [name, member] : members_) {
    unsubscribe(*member);
    retired_.push_back(member->target);
  }
  save_if_due(Clock::now(), true);
  for (auto& [interval, group] : groups_) group.collector->stop();
  for (const auto& target : retired_) target->begin_stop(limit);
  const TimePoint end = Clock::now() + limit;
  const auto all_gone = [&] {
    return std::ranges::all_of(retired_, [](const auto& target) { return target->gone(); });
  };
  // The last moment is for those that are killed at the limit.
  constexpr Duration grace = std::chrono::milliseconds(500);
  bool gone = all_gone();
  while (!gone && limit > Duration::zero() && Clock::now() < end + grace) {
    std::unique_lock inbox(inbox_->mutex);
    inbox_->changed.wait_for(inbox, std::chrono::milliseconds(50), [&] { return std::exchange(inbox_->woken, false); });
    inbox.unlock();
    gone = all_gone();
  }
  retired_.clear();
  return gone;
}

}  // namespace trunkline::autoscale
