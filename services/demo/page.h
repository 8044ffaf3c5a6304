// What the show shows of itself: the console to a browser, metrics to Prometheus.
#pragma once

#include <memory>
#include <string>

#include <trunkline/result.hpp>

#include "metrics/registry.h"
#include "services/console/sources.h"
#include "services/run/configuration.h"

namespace trunkline::demo {

class Page {
 public:
  // `transport`, `targets` and `fleets` of the sources are asked; who we are is known here. `metrics` adds to /metrics.
  static Result<std::unique_ptr<Page>> start(const run::AdminSettings& admin, console::ConsoleSources sources,
                                             metrics::Registry::Collect metrics);
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  const std::string& address() const;
  void stop(Duration limit);  // afterwards no source is asked any more

 private:
  class Impl;
  explicit Page(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// As `trunkline run` has it: no page is shown to other machines unless it asks for a password, or somebody has said
// that this is meant. An empty address is none.
Result<void> check_page(const run::AdminSettings& admin);

}  // namespace trunkline::demo
