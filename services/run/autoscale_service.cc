#include "services/run/autoscale_service.h"

#include <algorithm>
#include <utility>

#include <trunkline/transport.hpp>

namespace trunkline::run {
namespace {

// What a policy may ask of us under `source: external`, by the names that our own /metrics has.
constexpr std::string_view in_flight = "trunkline_requests_in_flight";
constexpr std::string_view waiting = "trunkline_queue_waiting";

bool is_ours(const std::string& metric) { return metric == in_flight || metric == waiting; }

bool asks_for_ours(const autoscale::Policy& policy) {
  if (const auto* native = std::get_if<autoscale::NativePolicy>(&policy.rules)) {
    return std::ranges::any_of(native->metrics, [](const autoscale::MetricPolicy& metric) {
      return metric.source == autoscale::Source::external && is_ours(metric.name);
    });
  }
  if (const auto* hpa = std::get_if<autoscale::HpaPolicy>(&policy.rules)) {
    return std::ranges::any_of(hpa->metrics, [](const auto& metric) { return is_ours(metric.name); });
  }
  return false;
}

}  // namespace

AutoscaleService::AutoscaleService(ScrapeService& jobs) : jobs_(jobs) {
  jobs_.on_new_collector([this](const std::shared_ptr<scrape::Collector>& collector) {
    if (const auto now = autoscaler()) now->set_jobs(collector);
  });
}

std::shared_ptr<autoscale::Autoscaler> AutoscaleService::autoscaler() const {
  const std::lock_guard lock(mutex_);
  return autoscaler_;
}

Result<void> AutoscaleService::start(const Configuration& configuration) {
  autoscale::AutoscalerSeams seams;
  seams.jobs = jobs_.collector();
  seams.external = [this](const std::string& fleet) { return own_values(fleet); };
  auto made = autoscale::Autoscaler::create(configuration.autoscale, std::move(seams));
  if (!made) return std::move(made).error();
  {
    const std::lock_guard lock(mutex_);
    autoscaler_ = std::move(*made);
  }
  return autoscaler()->start();
}

Result<void> AutoscaleService::check(const Configuration& configuration) {
  return autoscale::check(configuration.autoscale);
}

void AutoscaleService::reload(const Configuration& configuration) {
  // Refused could only be what check() has let through.
  [[maybe_unused]] const Result<void> reloaded = autoscaler()->reload(configuration.autoscale);
}

bool AutoscaleService::drain(Duration limit) {
  const auto now = autoscaler();
  return !now || now->drain(limit);
}

bool AutoscaleService::ready() const {
  const auto now = autoscaler();
  return now && now->running();
}

std::string AutoscaleService::trouble() const {
  const auto now = autoscaler();
  if (!now) return "";
  std::string all;
  for (const std::string& one : now->troubles()) all += (all.empty() ? "" : "; ") + one;
  return all;
}

void AutoscaleService::write_metrics(metrics::ExpositionWriter& writer) const {
  if (const auto now = autoscaler()) now->write_metrics(writer);
}

std::vector<autoscale::FleetStatus> AutoscaleService::fleets() const {
  const auto now = autoscaler();
  return now ? now->fleets() : std::vector<autoscale::FleetStatus>();
}

std::vector<autoscale::DecisionPtr> AutoscaleService::decisions(std::string_view fleet, std::uint64_t after,
                                                                std::size_t most) const {
  const auto now = autoscaler();
  return now ? now->decisions(fleet, after, most) : std::vector<autoscale::DecisionPtr>();
}

std::optional<autoscale::Policy> AutoscaleService::policy(std::string_view fleet) const {
  const auto now = autoscaler();
  return now ? now->policy(fleet) : std::nullopt;
}

std::vector<scrape::SnapshotPtr> AutoscaleService::snapshots() const {
  const auto now = autoscaler();
  return now ? now->snapshots() : std::vector<scrape::SnapshotPtr>();
}

// Of this process's own transports: a gateway's requests, say. Only to who asks for it, as it is recorded too.
std::vector<autoscale::ExternalValue> AutoscaleService::own_values(const std::string& fleet) const {
  const std::optional<autoscale::Policy> asking = policy(fleet);
  if (!asking || !asks_for_ours(*asking)) return {};
  const Stats stats = Transport::shared_stats();
  return {{.metric = std::string(in_flight), .value = static_cast<double>(stats.requests.in_flight)},
          {.metric = std::string(waiting), .value = static_cast<double>(stats.pool.waiting)}};
}

}  // namespace trunkline::run
