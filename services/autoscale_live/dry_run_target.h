// Somebody else's pods, which a scrape job knows: what would be done to them is decided and recorded, and not done.
#pragma once

#include <string>

#include "services/autoscale_live/scale_target.h"

namespace trunkline::autoscale {

struct DryRunSettings {
  std::string job = {};              // the scrape job whose targets are its pods
  std::optional<int> replicas = {};  // how many were asked for; unset: as many as the job has targets
  bool operator==(const DryRunSettings&) const = default;
};

class DryRunTarget : public ScaleTarget {
 public:
  explicit DryRunTarget(DryRunSettings settings) : settings_(std::move(settings)) {}

  std::string_view kind() const override { return "dry_run"; }
  TargetView observe(TimePoint) override {
    return {.replicas = settings_.replicas, .job = settings_.job, .follows_job = !settings_.replicas};
  }
  void apply(const Decision&) override {}
  void begin_stop(Duration) override {}
  bool gone() const override { return true; }

 private:
  const DryRunSettings settings_;
};

}  // namespace trunkline::autoscale
