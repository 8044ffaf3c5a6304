// `autoscale:` as a service, and the view of its fleets, which is there from the beginning.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "services/autoscale_live/autoscaler.h"
#include "services/run/scrape_service.h"
#include "services/run/service.h"

namespace trunkline::run {

class AutoscaleService : public Service, public autoscale::FleetView {
 public:
  // Dry runs and webhooks are decided by what these jobs see. Starts after them, and ends before them.
  explicit AutoscaleService(ScrapeService& jobs);

  std::string_view name() const override { return "autoscale"; }
  Result<void> start(const Configuration& configuration) override;
  Result<void> check(const Configuration& configuration) override;
  void reload(const Configuration& configuration) override;
  bool drain(Duration limit) override;
  bool ready() const override;
  std::string trouble() const override;
  void write_metrics(metrics::ExpositionWriter& writer) const override;

  std::vector<autoscale::FleetStatus> fleets() const override;
  std::vector<autoscale::DecisionPtr> decisions(std::string_view fleet, std::uint64_t after,
                                                std::size_t most) const override;
  std::optional<autoscale::Policy> policy(std::string_view fleet) const override;
  // What the fleets' own collectors found last.
  std::vector<scrape::SnapshotPtr> snapshots() const;

 private:
  std::shared_ptr<autoscale::Autoscaler> autoscaler() const;
  std::vector<autoscale::ExternalValue> own_values(const std::string& fleet) const;

  ScrapeService& jobs_;
  mutable std::mutex mutex_;
  std::shared_ptr<autoscale::Autoscaler> autoscaler_;  // null before the start
};

}  // namespace trunkline::run
