// The `autoscale:` mapping of a configuration: fleets, each a policy and what it scales.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/policy.h"
#include "services/autoscale_live/dry_run_target.h"
#include "services/autoscale_live/process_target.h"
#include "services/autoscale_live/split_target.h"
#include "services/autoscale_live/webhook_target.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {

using TargetSettings = std::variant<ProcessTargetSettings, DryRunSettings, WebhookSettings, SplitSettings>;

// False for somebody else's pods, which a scrape job knows.
bool starts_processes(const TargetSettings& target);

struct FleetSettings {
  Policy policy = {};            // its name is the fleet's
  std::string policy_file = {};  // instead of the policy itself, until load_policies() has read it
  TargetSettings target = {};
  // Of a process fleet: how often its pods are asked, and it is decided; zero: as all fleets. Others are decided with
  // each cycle of their scrape job.
  Duration interval{0};
  bool operator==(const FleetSettings&) const = default;
};

struct AutoscalerSettings {
  Duration interval = std::chrono::seconds(15);
  std::string state = {};                  // a file; empty: what is remembered goes with the process
  std::string record = {};                 // a file, in which ${fleet} is the fleet's name; empty: nothing is recorded
  std::uint64_t record_bytes = 64U << 20;  // of one such file; one older stays beside it
  int history = 720;                       // decisions of each fleet that are kept to be shown
  // Connections to each process for its scrapes, at most; 0: as Options::scrape(). Not in a file: for programs that
  // scrape the same processes themselves and mean to share.
  int open_per_process = 0;
  std::vector<FleetSettings> fleets = {};
  bool operator==(const AutoscalerSettings&) const = default;
};

// One description for reading and printing. A policy that stood in a file is printed as that file's name.
void fields(config::Reader& io, AutoscalerSettings& settings);
void fields(config::Writer& io, AutoscalerSettings& settings);

struct FleetFault {
  std::size_t fleet = 0;  // its place among the fleets
  std::string why;
};

// Reads the policy files, and has all relative paths (they too) count from `folder`. Of each fleet what is wrong.
std::vector<FleetFault> load_policies(AutoscalerSettings& settings, const std::string& folder);

// What fields() cannot see in one place: two fleets of one name, ports that overlap. Of each fleet the first that is
// wrong.
std::vector<FleetFault> faults(const AutoscalerSettings& settings);
// The same, and the first of it, for settings that a program has made.
Result<void> check(const AutoscalerSettings& settings);

}  // namespace trunkline::autoscale
