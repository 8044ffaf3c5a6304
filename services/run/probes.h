// What /readyz answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::run {

struct ServiceStatus {
  std::string name;
  bool ready = false;
  std::string trouble;  // a sentence, or empty
};

// {"ready":true,"services":[{"name":"scrape","ready":true,"trouble":""}]} and a line end.
std::string readiness_json(bool ready, const std::vector<ServiceStatus>& services);

}  // namespace trunkline::run
