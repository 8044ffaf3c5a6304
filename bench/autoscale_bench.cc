// How long the autoscaler's engine takes: many small policies, and one decision over many pods. One JSON line each; no
// network, no threads. The aims: 10,000 policies within a second, one decision over 10,000 pods within 10 ms.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "services/autoscale/engine.h"

namespace {

using namespace trunkline::autoscale;
using trunkline::TimePoint;

Snapshot fleet(int pods) {
  Snapshot snapshot{.current = pods};
  for (int i = 0; i < pods; ++i) {
    // Neither in order nor all alike, as a scrape would give them.
    const int number = static_cast<int>(static_cast<long>(i) * 7919 % pods);
    snapshot.pods.push_back({.name = "serving-group-" + std::to_string(number),
                             .samples = {{.metric = "active_connections", .value = 10.0 + number % 17}}});
    if (i % 50 == 0) snapshot.pods.back().state = PodState::missing;
  }
  return snapshot;
}

Policy policy_for(int pods) {
  return {.name = "bench", .rules = websocket_preset("active_connections", 18, {.min = 1, .max = 2 * pods})};
}

double milliseconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since).count();
}

void many_policies(int count, int pods) {
  const Snapshot snapshot = fleet(pods);
  const Policy policy = policy_for(pods);
  std::vector<State> states(static_cast<std::size_t>(count));
  TimePoint now{std::chrono::hours(1)};
  double best = 1e9;
  long sum = 0;
  for (int round = 0; round < 5; ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (State& state : states) sum += decide(state, snapshot, policy, now).desired;
    best = std::min(best, milliseconds(began));
    now += std::chrono::seconds(15);
  }
  std::printf("{\"bench\":\"policies\",\"policies\":%d,\"pods_each\":%d,\"ms\":%.1f,\"checksum\":%ld}\n", count, pods,
              best, sum);
}

void many_pods(int pods) {
  const Snapshot snapshot = fleet(pods);
  const Policy policy = policy_for(pods);
  State state;
  TimePoint now{std::chrono::hours(1)};
  std::vector<double> times;
  long sum = 0;
  for (int round = 0; round < 50; ++round) {
    const auto began = std::chrono::steady_clock::now();
    sum += decide(state, snapshot, policy, now).desired;
    times.push_back(milliseconds(began));
    now += std::chrono::seconds(15);
  }
  std::ranges::sort(times);
  std::printf("{\"bench\":\"pods\",\"pods\":%d,\"median_ms\":%.2f,\"worst_ms\":%.2f,\"checksum\":%ld}\n", pods,
              times[times.size() / 2], times.back(), sum);
}

}  // namespace

int main() {
  many_policies(10'000, 8);
  many_pods(10'000);
}
