#include "services/autoscale_live/settings.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include <trunkline/url.hpp>

#include "base/text.h"
#include "services/autoscale_files/policy_file.h"
#include "services/autoscale_files/whole_file.h"
#include "services/autoscale_live/live_fleet.h"
#include "services/scrape/schedule.h"

namespace trunkline::autoscale {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t most_parts = 100;
constexpr std::size_t most_policy_bytes = 1U << 20;
constexpr std::string_view fleet_place = "${fleet}";

std::optional<PortRange> read_ports(std::string_view text) {
  PortRange ports;
  const char* end = text.data() + text.size();
  const auto [dash, first_error] = std::from_chars(text.data(), end, ports.first);
  if (first_error != std::errc()) return std::nullopt;
  ports.last = ports.first;
  if (dash != end) {
    if (*dash != '-') return std::nullopt;
    const auto [stop, last_error] = std::from_chars(dash + 1, end, ports.last);
    if (last_error != std::errc() || stop != end) return std::nullopt;
  }
  constexpr int most_port = 65535;
  if (ports.first < 1 || ports.last > most_port || ports.size() < 1) return std::nullopt;
  return ports;
}

std::string print_ports(const PortRange& ports) {
  return std::to_string(ports.first) + "-" + std::to_string(ports.last);
}

void ports_field(config::Reader& io, PortRange& ports) {
  const config::Node* node = io.take("ports");
  if (!node) return;
  const auto read = node->kind == config::Node::Kind::scalar ? read_ports(node->text) : std::nullopt;
  if (!read) return io.problem(*node, "ports", "expected a range such as 20000-20099, within 1 to 65535");
  ports = *read;
}
void ports_field(config::Writer& io, const PortRange& ports) { io.word("ports", print_ports(ports)); }

constexpr std::uint64_t least_file = 64 * 1024;
constexpr std::uint64_t most_file = std::uint64_t{1} << 40;

// What stands in ${...} and is none of ours would reach the program as it is: that is a slip of the pen. Counted from
// 1; 0: there is none. Its text is not for messages: it may be a secret's.
std::size_t argument_with_unknown_place(const std::vector<std::string>& command) {
  for (std::size_t i = 0; i < command.size(); ++i) {
    const std::string& argument = command[i];
    for (std::size_t at = 0; (at = argument.find("${", at)) != std::string::npos; ++at) {
      const std::string_view rest = std::string_view(argument).substr(at);
      if (!rest.starts_with("${port}") && !rest.starts_with("${name}")) return i + 1;
    }
  }
  return 0;
}

template <class Io>
void process_fields(Io& io, ProcessTargetSettings& process) {
  io.texts("command", process.command, 1000);
  ports_field(io, process.ports);
  io.text("host", process.host);
  io.text("ready", process.ready);
  io.text("metrics", process.metrics);
  io.span("drain", process.drain, milliseconds(0), std::chrono::hours(24));
  io.span("backoff", process.backoff, milliseconds(10), std::chrono::hours(1));
  io.span("longest_backoff", process.longest_backoff, milliseconds(10), std::chrono::hours(24));
  io.span("ready_within", process.ready_within, milliseconds(0), std::chrono::hours(24));
  io.span("restart_silent", process.restart_silent, milliseconds(0), std::chrono::hours(24));
  io.text("log", process.log_folder);
  io.size("log_bytes", process.log_bytes, least_file, most_file);
  if constexpr (Io::reading) {
    io.require(!process.command.empty() && !process.command.front().empty(), "command",
               "needs the program and its arguments, such as [server, --port, \"${port}\"]");
    const std::size_t unknown = argument_with_unknown_place(process.command);
    io.require(unknown == 0, "command",
               "the ${...} in number " + std::to_string(unknown) +
                   " stands for nothing here; ${port} and ${name} are the pod's");
    io.require(io.has("ports"), "ports", "needs a range of ports, such as 20000-20099");
    io.require(process.ready.starts_with('/'), "ready", "must begin with /");
    io.require(process.metrics.starts_with('/'), "metrics", "must begin with /");
    io.require(process.backoff <= process.longest_backoff, "backoff", "must not be longer than longest_backoff");
  }
}

template <class Io>
void split_field(Io& io, TargetSettings& target) {
  const auto describe = [](auto& in, SplitPart& part) {
    in.text("target", part.target);
    process_fields(in, part.process);
  };
  if constexpr (Io::reading) {
    io.ignore("processes");  // known, also where it is not given: to whoever misspells it
    if (io.has("processes")) io.list("processes", target.emplace<SplitSettings>().parts, describe, most_parts);
  } else if (auto* split = std::get_if<SplitSettings>(&target)) {
    io.list("processes", split->parts, describe, most_parts);
  }
}

template <class Io>
void dry_run_fields(Io& io, DryRunSettings& dry_run) {
  io.text("job", dry_run.job);
  io.integer("replicas", dry_run.replicas, 0, replicas_limit);
  io.require(!dry_run.job.empty(), "job", "needs the name of a scrape job");
}

template <class Io>
void webhook_fields(Io& io, WebhookSettings& webhook) {
  io.text("url", webhook.url);
  io.text("job", webhook.job);
  if (Io::reading || !webhook.token.empty()) io.text("token", webhook.token);
  io.span("timeout", webhook.timeout, milliseconds(10), std::chrono::minutes(10));
  io.span("refresh", webhook.refresh, milliseconds(10), std::chrono::minutes(10));
  const Result<Url> url = Url::parse(webhook.url);
  const bool is_http = url && (url->scheme() == "http" || url->scheme() == "https");
  io.require(is_http && !url->has_userinfo(), "url",
             "needs an http or https URL; what it asks for goes into token, not into the URL");
  io.require(!webhook.job.empty(), "job", "needs the name of the scrape job whose targets are its pods");
}

template <class Kind, class Io, class F>
void kind_field(Io& io, std::string_view name, TargetSettings& target, F describe) {
  if constexpr (Io::reading) {
    if (io.has(name)) target.template emplace<Kind>();
    io.object(name, [&](auto& in) { describe(in, std::get<Kind>(target)); });
  } else if (auto* kind = std::get_if<Kind>(&target)) {
    io.object(name, [&](auto& out) { describe(out, *kind); });
  }
}

template <class Io>
void target_fields(Io& io, TargetSettings& target) {
  kind_field<ProcessTargetSettings>(io, "process", target, [](auto& in, auto& kind) { process_fields(in, kind); });
  split_field(io, target);
  kind_field<DryRunSettings>(io, "dry_run", target, [](auto& in, auto& kind) { dry_run_fields(in, kind); });
  kind_field<WebhookSettings>(io, "webhook", target, [](auto& in, auto& kind) { webhook_fields(in, kind); });
  if constexpr (Io::reading) {
    const int given =
        int{io.has("process")} + int{io.has("processes")} + int{io.has("dry_run")} + int{io.has("webhook")};
    io.require(given == 1, "", "needs exactly one of process, dry_run and webhook, or processes for several targets");
  }
}

// A policy inside of another document: its problems keep their own places and get the outer name in front.
void policy_field(config::Reader& io, Policy& policy) {
  const config::Node* node = io.take("policy");
  if (!node) return;
  config::Problems problems("");
  const std::optional<Policy> read = read_policy(*node, problems);
  for (const config::Problem& problem : problems.list()) {
    config::Node at;
    at.place = problem.place;
    io.problem(at, "policy" + (problem.field.empty() ? "" : "." + problem.field), problem.sentence);
  }
  if (!read || problems.any()) return;
  policy = *read;
  io.require(!policy.name.empty(), "policy", "needs a name: it is the fleet's");
}

void fleet_fields(config::Reader& io, FleetSettings& fleet) {
  policy_field(io, fleet.policy);
  io.text("policy_file", fleet.policy_file);
  io.object("target", [&](config::Reader& in) { target_fields(in, fleet.target); });
  io.span("interval", fleet.interval, milliseconds(10), std::chrono::hours(24));
  io.require(io.has("policy") != io.has("policy_file"), "", "needs either policy or policy_file");
  io.require(io.has("target"), "", "needs a target: process, dry_run or webhook");
  io.require(!io.has("interval") || starts_processes(fleet.target), "interval",
             "is that of processes; a fleet with a job is decided on when its job is scraped: see scrape.interval");
}

void fleet_fields(config::Writer& io, FleetSettings& fleet) {
  if (fleet.policy_file.empty()) {
    config::Node& node = io.add("policy");
    std::string key = std::move(node.key);
    node = policy_node(fleet.policy);
    node.key = std::move(key);
  } else {
    io.text("policy_file", fleet.policy_file);
  }
  io.object("target", [&](config::Writer& out) { target_fields(out, fleet.target); });
  if (fleet.interval != Duration::zero()) {
    io.span("interval", fleet.interval, milliseconds(10), std::chrono::hours(24));
  }
}

template <class Io>
void all_fields(Io& io, AutoscalerSettings& settings) {
  io.span("interval", settings.interval, milliseconds(10), std::chrono::hours(24));
  if (Io::reading || !settings.state.empty()) io.text("state", settings.state);
  if (Io::reading || !settings.record.empty()) io.text("record", settings.record);
  io.size("record_bytes", settings.record_bytes, least_file, most_file);
  io.integer("history", settings.history, 1, 100'000);
  io.list("fleets", settings.fleets, [](auto& in, FleetSettings& fleet) { fleet_fields(in, fleet); }, 10'000);
  const bool one_for_all = settings.record.find(fleet_place) == std::string::npos;
  io.require(settings.record.empty() || !one_for_all || settings.fleets.size() < 2, "record",
             "must hold ${fleet}, as there are several fleets and each is recorded in a file of its own");
}

Error wrong_settings(const std::string& why) { return {ErrorCode::invalid_options, Phase::prepare, why}; }

using NamedProcess = std::pair<const ProcessTargetSettings*, std::string>;

std::vector<NamedProcess> named_processes(const TargetSettings& target) {
  std::vector<NamedProcess> all;
  if (const auto* process = std::get_if<ProcessTargetSettings>(&target)) all.emplace_back(process, "");
  if (const auto* split = std::get_if<SplitSettings>(&target)) {
    for (const SplitPart& part : split->parts) all.emplace_back(&part.process, part.target);
  }
  return all;
}

// A policy that splits its total and processes in parts belong together, each name once on both sides.
Result<void> check_split(const FleetSettings& fleet, const std::string& shown) {
  const auto* split = std::get_if<SplitSettings>(&fleet.target);
  const std::vector<TargetCost> wanted = parts_of(fleet.policy);
  if (!split) {
    if (wanted.empty() || !std::holds_alternative<ProcessTargetSettings>(fleet.target)) return {};
    return wrong_settings(shown + " is split over several targets: give target.processes, one for each");
  }
  for (const TargetCost& target : wanted) {
    if (target.name.empty() || target.name.find('/') != std::string::npos) {
      return wrong_settings(shown + ": processes and files are named for its targets, so each has a name, without /");
    }
    if (std::ranges::count(wanted, target.name, &TargetCost::name) > 1) {
      return wrong_settings(shown + ": two of its targets have the name " + printable(target.name, 60));
    }
    if (std::ranges::count(split->parts, target.name, &SplitPart::target) == 1) continue;
    return wrong_settings(shown + ": its target " + printable(target.name, 60) + " needs processes of its own, once");
  }
  if (wanted.size() == split->parts.size() && !wanted.empty()) return {};
  return wrong_settings(shown + " has processes for targets that its policy does not name");
}

// What containers asked for, and which there are, only Kubernetes knows.
Result<void> check_metrics(const FleetSettings& fleet, const std::string& shown) {
  const auto* hpa = std::get_if<HpaPolicy>(&fleet.policy.rules);
  if (!hpa) return {};
  for (const HpaMetric& metric : hpa->metrics) {
    const bool of_container = metric.type == HpaMetric::Type::container_resource;
    if (!of_container && metric.target != HpaMetric::TargetType::utilization) continue;
    return wrong_settings(
        shown + ": its metric " + printable(metric.name, 60) + " needs what containers " +
        (of_container ? "use" : "asked for") +
        ", which scraped pods do not tell: give it an averageValue of a Pods metric, or try the policy "
        "over a recording with trunkline autoscale simulate");
  }
  return {};
}

void from_folder(std::string& path, const std::string& folder) {
  if (!path.empty() && !path.starts_with('/')) path = (std::filesystem::path(folder) / path).string();
}

Result<void> load_policy(FleetSettings& fleet, const std::string& folder) {
  if (auto* process = std::get_if<ProcessTargetSettings>(&fleet.target)) from_folder(process->log_folder, folder);
  if (auto* split = std::get_if<SplitSettings>(&fleet.target)) {
    for (SplitPart& part : split->parts) from_folder(part.process.log_folder, folder);
  }
  if (fleet.policy_file.empty()) return {};
  from_folder(fleet.policy_file, folder);
  const Result<std::optional<std::string>> text = read_file(fleet.policy_file, most_policy_bytes);
  if (!text) return text.error();
  if (!*text) return wrong_settings(fleet.policy_file + ": there is no such file");
  Result<std::vector<Policy>> policies = read_policies(**text, fleet.policy_file);
  if (!policies) return policies.error();
  if (policies->size() != 1) return wrong_settings(fleet.policy_file + ": holds several policies, and one is needed");
  fleet.policy = std::move(policies->front());
  return {};
}

Result<void> check_interval(Duration interval) { return scrape::check(scrape::settings_for(interval)); }

Result<void> check_name(const std::string& name, const std::string& shown) {
  if (name.empty()) return wrong_settings("a fleet has no name; its policy's is it");
  if (name.find('/') == std::string::npos && !name.starts_with('.')) return {};
  return wrong_settings(shown + ": files are named for it, so no / in it and no dot in front");
}

// Which ports belong to whom, of the fleets before and of this one.
using Ports = std::vector<std::pair<PortRange, std::string>>;

Result<void> check_processes(const FleetSettings& fleet, const std::string& shown, Ports& taken) {
  const std::vector<TargetCost> parts = parts_of(fleet.policy);
  for (const auto& [process, part] : named_processes(fleet.target)) {
    const std::string who = shown + (part.empty() ? "" : ", target " + printable(part, 60) + ",");
    const int ports = process->ports.size();
    if (process->command.empty() || ports < 1) return wrong_settings(who + " needs command and ports");
    const auto bounds = std::ranges::find(parts, part, &TargetCost::name);
    const int most = part.empty() ? bounds_of(fleet.policy).max : bounds->max;
    if (most > ports) {
      return wrong_settings(who + " may have " + std::to_string(most) + " replicas, and has " + std::to_string(ports) +
                            (ports == 1 ? " port" : " ports") +
                            "; those that leave keep theirs for a while, so give it some more");
    }
    for (const auto& [range, other] : taken) {
      if (process->ports.first > range.last || range.first > process->ports.last) continue;
      return wrong_settings(who + " has ports that belong to " + printable(other, 60) + " as well");
    }
    taken.emplace_back(process->ports, fleet.policy.name + (part.empty() ? "" : "-" + part));
  }
  return {};
}

Result<void> check_fleet(const FleetSettings& fleet, std::vector<std::string>& names, Ports& taken) {
  const std::string& name = fleet.policy.name;
  const std::string shown = "the fleet " + printable(name, 60);
  if (Result<void> good = check_name(name, shown); !good) return good;
  if (std::ranges::count(names, name) > 0) return wrong_settings(shown + " is there twice");
  names.push_back(name);
  if (fleet.interval != Duration::zero()) {
    if (Result<void> good = check_interval(fleet.interval); !good) return good;
  }
  if (Result<void> good = check_split(fleet, shown); !good) return good;
  if (Result<void> good = check_processes(fleet, shown, taken); !good) return good;
  return check_metrics(fleet, shown);
}

}  // namespace

void fields(config::Reader& io, AutoscalerSettings& settings) { all_fields(io, settings); }
void fields(config::Writer& io, AutoscalerSettings& settings) { all_fields(io, settings); }

std::vector<FleetFault> load_policies(AutoscalerSettings& settings, const std::string& folder) {
  from_folder(settings.state, folder);
  from_folder(settings.record, folder);
  std::vector<FleetFault> faults;
  for (std::size_t i = 0; i < settings.fleets.size(); ++i) {
    if (Result<void> good = load_policy(settings.fleets[i], folder); !good) faults.push_back({i, good.error().message});
  }
  return faults;
}

bool starts_processes(const TargetSettings& target) { return !named_processes(target).empty(); }

std::vector<FleetFault> faults(const AutoscalerSettings& settings) {
  std::vector<FleetFault> all;
  std::vector<std::string> names;
  Ports taken;
  for (std::size_t i = 0; i < settings.fleets.size(); ++i) {
    if (Result<void> good = check_fleet(settings.fleets[i], names, taken); !good)
      all.push_back({i, good.error().message});
  }
  return all;
}

Result<void> check(const AutoscalerSettings& settings) {
  if (Result<void> good = check_interval(settings.interval); !good) return good;
  if (const std::vector<FleetFault> all = faults(settings); !all.empty()) {
    return wrong_settings("autoscale: " + all.front().why);
  }
  return {};
}

}  // namespace trunkline::autoscale
