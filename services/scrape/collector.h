// Scrapes a fleet, cycle by cycle: one thread that sleeps until something is due, one GET per target and cycle whoever
// wants it, one shared pool of connections that has room for all of them. What a cycle found goes to every subscriber.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <trunkline/stats.hpp>

#include "metrics/exposition_writer.h"
#include "metrics/wanted.h"
#include "services/scrape/fleet.h"
#include "services/scrape/lanes.h"
#include "services/scrape/source.h"

namespace trunkline::scrape {

struct CollectorSettings {
  ScheduleSettings schedule;
  // Of one body. Beyond one of them the scrape fails, and only it. Bytes are decompressed ones.
  metrics::ExpositionLimits limits;
  std::size_t kept_bytes = std::size_t{16} * 1024 * 1024;  // the most memory for the wanted samples of one target
  Duration discovery = std::chrono::seconds(1);            // how often the sources are asked for news
  // Targets that other collectors of this process scrape: all share one pool, whose room must do for all.
  std::size_t other_targets = 0;
  // Cycles begin at multiples of the interval since 1970, so that they stay over a restart; false: now.
  bool aligned = true;
  Options options = Options::scrape();  // room and idle time grow with the targets and the interval
};

// What a subscriber wants of each target: names of families or samples, and prefixes of names.
struct Wants {
  std::vector<std::string> names = {};
  std::vector<std::string> prefixes = {};
  bool everything = false;
};
// What all of them want together; nobody: nothing.
metrics::Wanted union_of(const std::vector<Wants>& wants);

// Since the start. What is of one cycle is in its snapshot.
struct CollectorCounters {
  std::uint64_t cycles = 0;
  std::uint64_t scrapes = 0;  // ended, second tries and late ones included
  std::array<std::uint64_t, outcome_count> by_outcome{};
  std::uint64_t late = 0;  // ended behind the cut-off of their cycle
  std::uint64_t reused = 0;
  std::uint64_t retried = 0;
  std::uint64_t warmed = 0;  // on a connection that was opened just before
  std::array<std::uint64_t, dial_reason_count> dials{};
  std::uint64_t bytes = 0;
  std::uint64_t samples = 0;

  void add(const TargetReport& report);
};

class Collector {
 public:
  // On the collector's thread, which waits for it: what takes long belongs elsewhere.
  using OnSnapshot = std::function<void(const SnapshotPtr&)>;

  Collector(CollectorSettings settings, std::vector<std::shared_ptr<Source>> sources);
  ~Collector();  // stops
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Subscribe before, or miss the first cycles. Once only.
  Result<void> start();
  // What is under way is cancelled; afterwards no subscriber is called any more. Not from a subscriber's call.
  void stop();

  // Called from the first cycle on that is asked for what he wants: not of the one that is under way.
  int subscribe(Wants wants, OnSnapshot on_snapshot);
  void unsubscribe(int subscription);  // a call that is under way may still end afterwards

  SnapshotPtr latest() const;  // null before the first cut-off
  CollectorCounters counters() const;
  // One sentence each: of sources, and of connections that have no room.
  std::vector<std::string> troubles() const;
  // All of the above, with these labels in front of each sample's own.
  void write_metrics(metrics::ExpositionWriter& writer, std::span<const metrics::Label> labels = {}) const;

 private:
  struct Inbox;
  struct Subscriber {
    Wants wants;
    OnSnapshot on_snapshot;
    bool asked_for = false;  // this cycle's questions ask for what he wants
  };

  void run();
  void discover(TimePoint now);
  void take_answers();
  void publish(const SnapshotPtr& snapshot);
  void warm(TargetId id, const Target& target);
  void put(const Fleet::Ask& ask, TimePoint now);

  const CollectorSettings settings_;
  const std::vector<std::shared_ptr<Source>> sources_;
  std::shared_ptr<Inbox> inbox_;  // shared with questions under way
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  // The thread's own.
  std::unique_ptr<Fleet> fleet_;
  Lanes lanes_;
  std::vector<TargetPtr> targets_;
  TimePoint discover_at_ = TimePoint::min();
  std::unordered_map<TargetId, CallHandle> under_way_;
  metrics::Wanted wanted_;               // of this cycle
  std::unordered_set<TargetId> warmed_;  // a connection was dialled for their next question

  mutable std::mutex mutex_;  // what follows
  std::map<int, Subscriber> subscribers_;
  int next_subscriber_ = 1;
  SnapshotPtr latest_;
  CollectorCounters counters_;
  std::vector<std::string> troubles_;  // of sources
  std::string room_trouble_;
};

}  // namespace trunkline::scrape
