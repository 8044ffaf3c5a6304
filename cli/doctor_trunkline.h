// What a running Trunkline says of its own connections: GET /api/v1/transport, the JSON of Stats::to_json.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <trunkline/result.hpp>

namespace trunkline::cli {

struct TransportReport {
  struct Route {
    std::string route;
    std::string protocol;
    std::string advice;
    long long open = 0;
    // Reasons that occurred, with their counts, the commonest first.
    std::vector<std::pair<std::string, long long>> dials;
    std::vector<std::pair<std::string, long long>> closes;
    std::vector<std::pair<std::string, long long>> misses;
  };
  std::string url;
  std::string json;  // as it came
  std::vector<Route> routes;
};

// Answers within two seconds or fails.
Result<TransportReport> ask_trunkline(const std::string& url);
// Fails where it is not that JSON.
Result<TransportReport> read_transport(const std::string& json);

}  // namespace trunkline::cli
