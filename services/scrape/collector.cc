#include "services/scrape/collector.h"

#include <utility>

#include "base/futex.h"
#include "services/scrape/own_metrics.h"
#include "services/scrape/question.h"
#include "services/scrape/room.h"

namespace trunkline::scrape {

metrics::Wanted union_of(const std::vector<Wants>& wants) {
  std::vector<std::string> names;
  std::vector<std::string> prefixes;
  for (const Wants& one : wants) {
    if (one.everything) return {};
    names.insert(names.end(), one.names.begin(), one.names.end());
    prefixes.insert(prefixes.end(), one.prefixes.begin(), one.prefixes.end());
  }
  // Wanted takes no names at all for everything; nothing is called so.
  if (names.empty() && prefixes.empty()) names.emplace_back("-");
  return metrics::Wanted(std::move(names), std::move(prefixes));
}

void CollectorCounters::add(const TargetReport& report) {
  ++scrapes;
  ++by_outcome[static_cast<std::size_t>(report.outcome)];
  bytes += report.bytes;
  samples += report.samples;
  if (!report.connected) return;
  if (report.retries > 0) ++retried;
  if (report.warmed) ++warmed;
  if (report.reused) {
    ++reused;
  } else {
    ++dials[static_cast<std::size_t>(report.dial_reason)];
  }
}

// Where loop threads leave answers. They wake the collector only when it waits for a place or for the end: otherwise it
// looks when something is due anyway.
struct Collector::Inbox {
  struct Item {
    TargetId target = 0;
    Answer answer;
  };

  void put(Item item) {
    {
      const std::lock_guard lock(mutex);
      items.push_back(std::move(item));
    }
    if (eager.load()) wake();
  }
  std::vector<Item> take() {
    const std::lock_guard lock(mutex);
    return std::exchange(items, {});
  }
  bool empty() {
    const std::lock_guard lock(mutex);
    return items.empty();
  }
  void wake() {
    word.fetch_add(1);
    futex_wake_one(word);
  }

  std::mutex mutex;  // items
  std::vector<Item> items;
  std::atomic<bool> eager{false};
  std::atomic<std::uint32_t> word{0};
};

namespace {

TimePoint origin_of(const CollectorSettings& settings, TimePoint now) {
  if (!settings.aligned) return now;
  const Duration since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return now - since_1970 % settings.schedule.interval;
}

}  // namespace

Collector::Collector(CollectorSettings settings, std::vector<std::shared_ptr<Source>> sources)
    : settings_(std::move(settings)),
      sources_(std::move(sources)),
      inbox_(std::make_shared<Inbox>()),
      lanes_(settings_.options, settings_.schedule.interval) {}

Collector::~Collector() { stop(); }

Result<void> Collector::start() {
  if (Result<void> good = check(settings_.schedule); !good) return good;
  const TimePoint now = Clock::now();
  fleet_ = std::make_unique<Fleet>(settings_.schedule, origin_of(settings_, now), now);
  thread_ = std::thread([this] { run(); });
  return {};
}

void Collector::stop() {
  stopping_ = true;
  inbox_->wake();
  if (thread_.joinable()) thread_.join();
  for (const auto& [target, call] : std::exchange(under_way_, {})) call.cancel();
}

int Collector::subscribe(Wants wants, OnSnapshot on_snapshot) {
  const std::lock_guard lock(mutex_);
  subscribers_[next_subscriber_] = {.wants = std::move(wants), .on_snapshot = std::move(on_snapshot)};
  return next_subscriber_++;
}

void Collector::unsubscribe(int subscription) {
  const std::lock_guard lock(mutex_);
  subscribers_.erase(subscription);
}

SnapshotPtr Collector::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

CollectorCounters Collector::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::vector<std::string> Collector::troubles() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all = troubles_;
  if (!room_trouble_.empty()) all.push_back(room_trouble_);
  return all;
}

void Collector::write_metrics(metrics::ExpositionWriter& writer, std::span<const metrics::Label> labels) const {
  SnapshotPtr latest;
  CollectorCounters counters;
  std::size_t troubled_sources = 0;
  {
    const std::lock_guard lock(mutex_);
    latest = latest_;
    counters = counters_;
    troubled_sources = troubles_.size();
  }
  write_own_metrics(writer, labels, latest.get(), counters, troubled_sources);
}

void Collector::run() {
  bool new_cycle = true;
  for (;;) {
    // Read first: what comes from here on wakes us, or we have seen it; the wish to stop as well.
    const std::uint32_t word = inbox_->word.load();
    if (stopping_) return;
    const TimePoint now = Clock::now();
    if (now >= discover_at_) discover(now);
    take_answers();
    const Fleet::Step step = fleet_->advance(now);
    if (step.snapshot) {
      publish(step.snapshot);
      new_cycle = true;
    }
    if (std::exchange(new_cycle, false)) {
      lanes_.prepare(targets_, settings_.other_targets);
      warmed_.clear();  // of targets that have gone
      const std::lock_guard lock(mutex_);
      std::vector<Wants> wants;
      wants.reserve(subscribers_.size());
      for (auto& [id, subscriber] : subscribers_) {
        wants.push_back(subscriber.wants);
        subscriber.asked_for = true;
      }
      wanted_ = union_of(wants);
    }
    for (const auto& [id, target] : step.warm) warm(id, *target);
    for (const Fleet::Ask& ask : step.asks) put(ask, now);
    inbox_->eager = fleet_->waits_for_place();
    if (fleet_->waits_for_place() && !inbox_->empty()) continue;
    futex_wait(inbox_->word, word, std::min(fleet_->next(), discover_at_));
  }
}

void Collector::discover(TimePoint now) {
  discover_at_ = now + settings_.discovery;
  bool news = false;
  for (const std::shared_ptr<Source>& source : sources_) news |= source->refresh(now);
  if (!news) return;
  std::vector<TargetPtr> targets;
  std::vector<std::string> troubles;
  for (const std::shared_ptr<Source>& source : sources_) {
    targets.insert(targets.end(), source->targets().begin(), source->targets().end());
    if (!source->trouble().empty()) troubles.push_back(source->trouble());
  }
  const TargetChanges changed = fleet_->set_targets(targets, now);
  targets_ = std::move(targets);
  if (!changed.added.empty() || !changed.removed.empty()) lanes_.prepare(targets_, settings_.other_targets);
  std::string room_trouble =
      trouble_with_room(connections_for(targets_) + settings_.other_targets, room_of_this_process());
  const std::lock_guard lock(mutex_);
  troubles_ = std::move(troubles);
  room_trouble_ = std::move(room_trouble);
}

void Collector::take_answers() {
  std::vector<Inbox::Item> items = inbox_->take();
  if (items.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (const Inbox::Item& item : items) counters_.add(item.answer.report);
  }
  for (Inbox::Item& item : items) {
    under_way_.erase(item.target);
    if (fleet_->answered(item.target, std::move(item.answer))) continue;
    const std::lock_guard lock(mutex_);
    ++counters_.late;
  }
}

void Collector::publish(const SnapshotPtr& snapshot) {
  std::vector<OnSnapshot> callbacks;
  {
    const std::lock_guard lock(mutex_);
    callbacks.reserve(subscribers_.size());
    latest_ = snapshot;
    ++counters_.cycles;
    for (const auto& [id, subscriber] : subscribers_) {
      if (subscriber.asked_for) callbacks.push_back(subscriber.on_snapshot);
    }
  }
  for (const OnSnapshot& on_snapshot : callbacks) on_snapshot(snapshot);
}

void Collector::warm(TargetId id, const Target& target) {
  if (lanes_.of(target).transport->warm(target.url)) warmed_.insert(id);
}

void Collector::put(const Fleet::Ask& ask, TimePoint now) {
  const TargetId id = ask.start.target;
  Lanes::Lane& lane = lanes_.of(*ask.target);
  const Result<std::string>& authorization = lane.credentials.authorization();
  if (!authorization) {
    Answer answer;
    answer.report.outcome = Outcome::misconfigured;
    answer.report.reason = authorization.error().message;
    return inbox_->put({id, std::move(answer)});
  }
  Question question;
  question.target = ask.target;
  question.warmed = warmed_.erase(id) > 0;
  question.timeout = ask.start.give_up - now;
  question.useful_for = ask.start.answer_by - now;
  question.authorization = *authorization;
  question.wanted = wanted_;
  question.limits = settings_.limits;
  question.kept_bytes = settings_.kept_bytes;
  under_way_[id] = scrape::ask(Client(lane.transport), question,
                               [id, inbox = inbox_](Answer answer) { inbox->put({id, std::move(answer)}); });
}

}  // namespace trunkline::scrape
