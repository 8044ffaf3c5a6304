// kthena's arithmetic before and after its limits, on plain numbers: what the metrics ask for, what of it is allowed.
#pragma once

#include <optional>
#include <vector>

#include "services/autoscale/kthena_policy.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

struct KthenaInput {
  double target = 1;
  std::optional<double> external = {};  // one value for all; set: `instances` is not looked at
  std::vector<double> instances = {};   // of those that gave a value
  int missing = 0;                      // instances that gave none
};

struct KthenaBounds {
  int min = 1;
  int max = 1;
};

// Unset: no metric has a value, so nothing is decided.
std::optional<int> kthena_recommend(KthenaBounds bounds, int current, double tolerance, int unready,
                                    const std::vector<KthenaInput>& inputs);

// What the stable or the panic rules leave of a recommendation; enters or extends panic. Both are remembered.
int kthena_correct(KthenaState& state, const KthenaPolicy& policy, KthenaBounds bounds, int current, int recommended,
                   TimePoint now);

// The extreme of what was recorded within a window that ends now, and of `otherwise`. A window of 0 has nothing in it.
int kthena_recorded(const std::vector<ReplicasAt>& records, std::chrono::seconds window, TimePoint now, int otherwise,
                    bool largest);

// The same for a value that holds until the next: one that was replaced counts from then, the last one for two windows.
int kthena_line(const std::vector<ReplicasAt>& values, std::chrono::seconds window, TimePoint now, int otherwise,
                bool largest);

}  // namespace trunkline::autoscale
