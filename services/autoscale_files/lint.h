// Patterns in policies that are valid and known to go wrong, each learned from somebody's incident.
// docs/autoscale-replay.md lists them. A linter remembers what it has seen, because some only show over several files.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/policy.h"
#include "services/config/document.h"

namespace trunkline::autoscale {

struct LintSettings {
  Duration interval = std::chrono::seconds(15);    // between scrapes and decisions
  std::optional<Duration> server_keep_alive = {};  // how long the scraped servers keep idle connections
};

struct Finding {
  std::string code;
  std::string file;
  config::Place place = {};
  std::string why;
  std::string cure;
};

std::string print(const Finding& finding);  // two lines: place, code and why; the cure
std::string print_json(const Finding& finding);

class Linter {
 public:
  explicit Linter(const LintSettings& settings) : settings_(settings) {}

  Result<std::vector<Finding>> lint(std::string_view text, std::string_view file);

 private:
  void look_at_targets(const config::Node& document, std::string_view file, std::vector<Finding>& out);

  LintSettings settings_;
  std::map<std::string, std::string> targets_;  // "kind name" of what is scaled to the place of who scales it
};

}  // namespace trunkline::autoscale
