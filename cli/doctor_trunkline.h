// What a running Trunkline says of its own connections and of what keeps its pools apart (docs/API.md).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <trunkline/result.hpp>

#include "base/clock.h"
#include "run_settings.h"

namespace trunkline::cli {

struct TransportReport {
  struct Route {
    std::string route;
    std::string key;
    std::string protocol;
    std::string advice;
    long long open = 0;
    // Reasons that occurred, with their counts, the commonest first.
    std::vector<std::pair<std::string, long long>> dials;
    std::vector<std::pair<std::string, long long>> closes;
    std::vector<std::pair<std::string, long long>> misses;
  };
  // Two pools that lead to one place, and why they do not share: which options differ, and what they are in each.
  struct Split {
    struct Option {
      std::string name;
      std::string a;
      std::string b;
    };
    std::string route;
    std::string a;  // keys
    std::string b;
    std::vector<Option> options;
    std::string trouble;  // why that is not known
  };
  std::string url;
  std::string json;  // as it came
  std::vector<Split> splits;
  std::vector<Route> routes;
};

// GET /api/v1/transport, and /api/v1/pools/differences for places that several pools lead to. What has not been
// answered by that time is trouble of its split, or the error.
Result<TransportReport> ask_trunkline(const AskFlags& flags, TimePoint deadline);
// The places that several of these lead to: each further pool beside the first.
std::vector<TransportReport::Split> splits_of(const std::vector<TransportReport::Route>& routes);
// Fails where it is not that JSON.
Result<TransportReport> read_transport(const std::string& json);

}  // namespace trunkline::cli
