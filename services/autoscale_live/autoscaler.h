// Fleets that are being scaled: asks their pods, decides at each cut-off, has it done, records it, and remembers. One
// thread decides for all; targets and collectors have threads of their own.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "metrics/exposition_writer.h"
#include "services/autoscale_files/state_file.h"
#include "services/autoscale_live/fleet_view.h"
#include "services/autoscale_live/live_fleet.h"
#include "services/autoscale_live/recorder.h"
#include "services/autoscale_live/settings.h"
#include "services/scrape/collector.h"

namespace trunkline::autoscale {

struct AutoscalerSeams {
  // Who scrapes the jobs that dry runs and webhooks name; null: nobody.
  std::shared_ptr<scrape::Collector> jobs = nullptr;
  // Values of a fleet that belong to no pod: the transport's own requests under way and in line, say. On the deciding
  // thread, before each decision.
  std::function<std::vector<ExternalValue>(const std::string& fleet)> external = nullptr;
};

class Autoscaler : public FleetView {
 public:
  // Policies must have been loaded. Nothing is started yet, but the memory is read: one that cannot be used is moved
  // aside, and troubles() says so.
  static Result<std::unique_ptr<Autoscaler>> create(AutoscalerSettings settings, AutoscalerSeams seams = {});
  ~Autoscaler() override;  // stops as drain() does, without waiting: what still runs is killed

  Result<void> start();
  // Fleets of the same name keep their processes, numbers and memory; those that are new start, and those that are gone
  // are drained. An error changes nothing.
  Result<void> reload(AutoscalerSettings settings);
  void set_jobs(std::shared_ptr<scrape::Collector> jobs);
  // No more decisions; all processes are told to go and the memory is saved. True: all were gone within the limit.
  bool drain(Duration limit);

  // Instead of the policy's own pause, until a reload brings another of that. False: there is no such fleet.
  bool pause(std::string_view fleet, const Pause& pause);
  bool resume(std::string_view fleet);

  std::vector<FleetStatus> fleets() const override;
  std::vector<DecisionPtr> decisions(std::string_view fleet, std::uint64_t after, std::size_t most) const override;
  std::optional<Policy> policy(std::string_view fleet) const override;

  bool running() const { return running_; }
  std::vector<std::string> troubles() const;  // a sentence each
  // What the fleets' own collectors found last.
  std::vector<scrape::SnapshotPtr> snapshots() const;
  void write_metrics(metrics::ExpositionWriter& writer) const;

 private:
  struct Inbox;
  // The processes of all fleets with one interval are scraped by one collector.
  struct Group {
    std::shared_ptr<scrape::SetSource> source;
    std::shared_ptr<scrape::Collector> collector;
    std::map<std::string, scrape::TargetPtr> targets = {};  // by URL
  };
  struct Member {
    FleetSettings settings;
    std::shared_ptr<LiveFleet> fleet;
    std::shared_ptr<ScaleTarget> target;
    std::shared_ptr<const scrape::Job> job;  // of its processes
    std::shared_ptr<scrape::Collector> collector = nullptr;
    int subscription = 0;
    std::shared_ptr<Recorder> recorder = nullptr;
    std::string record_trouble = {};
  };

  Autoscaler(AutoscalerSettings settings, AutoscalerSeams seams);

  void run();
  void work();
  void decide(Member& member, const scrape::SnapshotPtr& cycle);
  void tell_collectors();
  void save_if_due(TimePoint now, bool at_once);
  void remember(const Member& member);

  // Of the list of members, under work_mutex_ and, where it changes, mutex_.
  void adopt(const FleetSettings& settings);
  void adapt(Member& member, const FleetSettings& settings);
  void retire(Member& member);
  void subscribe(Member& member);
  void unsubscribe(Member& member);
  void make_groups();
  std::shared_ptr<ScaleTarget> make_target(const FleetSettings& settings, const State& state);
  Duration interval_of(const FleetSettings& settings) const;
  std::shared_ptr<Recorder> recorder_of(const std::string& fleet) const;

  std::shared_ptr<Inbox> inbox_;  // shared with collectors and targets
  // Of all targets, also of those that are gone and still drain.
  const std::shared_ptr<PortLedger> ports_ = std::make_shared<PortLedger>();
  const EngineTime time_ = EngineTime::of_this_process();
  std::thread thread_;
  std::atomic<bool> running_{false};

  std::mutex work_mutex_;  // what decides, and what changes the fleets; held over work, never taken by a view
  AutoscalerSettings settings_;
  AutoscalerSeams seams_;
  std::map<Duration, Group> groups_;
  std::vector<std::shared_ptr<ScaleTarget>> retired_;
  States remembered_;                             // of fleets that are not there just now
  std::map<std::string, std::uint64_t> numbers_;  // likewise: their next decisions'
  bool changed_since_saved_ = false;
  TimePoint save_at_ = TimePoint::min();

  mutable std::mutex mutex_;  // what follows; for a look-up only
  std::map<std::string, std::shared_ptr<Member>, std::less<>> members_;
  std::string memory_trouble_;  // what was wrong with it at the start
  std::string save_trouble_;
  std::map<Duration, std::shared_ptr<scrape::Collector>> collectors_;  // by interval
};

}  // namespace trunkline::autoscale
