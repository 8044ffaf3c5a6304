#include "doctor_report.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "json_writer.h"

namespace trunkline::cli {
namespace {

using doctor::Diagnosis;
using doctor::Finding;
using doctor::SocketState;
using doctor::Use;

constexpr std::size_t most_rows = 25;

template <class... Values>
std::string line_of(const char* format, Values... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string place_of(const Use& use) {
  return use.inbound ? "at our port " + std::to_string(use.destination.port) : use.destination.describe();
}

std::string owners_of(const Use& use) {
  std::string names;
  for (std::size_t i = 0; i < use.owners.size() && i < 3; ++i) names += (i > 0 ? ", " : "") + use.owners[i].name;
  if (use.owners.size() > 3) names += ", " + std::to_string(use.owners.size() - 3) + " more";
  return names.empty() ? "-" : names;
}

std::string row_of(const Use& use) {
  const std::string ports = use.inbound ? "-" : std::to_string(use.ports_held) + line_of(" (%.0f %%)", use.share * 100);
  return line_of("%-28s %6llu %9llu %8.1f %14s  ", place_of(use).c_str(), static_cast<unsigned long long>(use.open()),
                 static_cast<unsigned long long>(use.state(SocketState::time_wait)), use.per_second, ports.c_str()) +
         owners_of(use) + "\n";
}

std::string reasons_line(const char* name, const std::vector<std::pair<std::string, long long>>& counts) {
  std::string text;
  for (const auto& [reason, count] : counts) text += " " + reason + " " + std::to_string(count);
  return text.empty() ? "" : std::string("    ") + name + text + "\n";
}

std::string split_line(const TransportReport::Split& split) {
  std::string out = "  " + split.route + " is dialled by two pools that share nothing, " + split.a + " and " + split.b;
  if (!split.trouble.empty()) return out + "; why is not known: " + split.trouble + "\n";
  if (split.options.empty()) return out + ": the options are the same, the protocol is not\n";
  std::string list;
  for (const TransportReport::Split::Option& option : split.options) {
    list += (list.empty() ? "" : "; ") + option.name + " is " + option.a + " and " + option.b;
  }
  return out + ", because their options differ: " + list + "\n";
}

std::string trunkline_table(const TransportReport& report) {
  std::string out = "\nTrunkline at " + report.url + "\n";
  if (report.routes.empty()) out += "  has dialled nobody yet\n";
  for (const TransportReport::Route& route : report.routes) {
    out += "  " + route.route + (route.protocol.empty() ? "" : " " + route.protocol) + ", " +
           std::to_string(route.open) + " open\n";
    out += reasons_line("dials: ", route.dials) + reasons_line("closes:", route.closes) +
           reasons_line("misses:", route.misses);
    if (!route.advice.empty()) out += "    advice: " + route.advice + "\n";
  }
  for (const TransportReport::Split& split : report.splits) out += split_line(split);
  return out;
}

void write_split(JsonWriter& json, const TransportReport::Split& split) {
  json.open('{').key("route").text(split.route).key("a").text(split.a).key("b").text(split.b);
  json.key("trouble").text_or_null(split.trouble).key("options").open('[');
  for (const TransportReport::Split::Option& option : split.options) {
    json.open('{').key("option").text(option.name).key("a").text(option.a).key("b").text(option.b).close('}');
  }
  json.close(']').close('}');
}

void write_use(JsonWriter& json, const Use& use) {
  json.open('{').key("destination").text(use.destination.describe()).key("inbound").boolean(use.inbound);
  json.key("states").open('{');
  for (std::size_t i = 1; i < use.states.size(); ++i) {
    if (use.states[i] == 0) continue;
    json.key(to_string(static_cast<SocketState>(i))).integer(static_cast<std::int64_t>(use.states[i]));
  }
  json.close('}');
  json.key("open").integer(static_cast<std::int64_t>(use.open()));
  json.key("time_wait_at_other_end").integer(static_cast<std::int64_t>(use.closed_there));
  json.key("dialled").integer(static_cast<std::int64_t>(use.dialled));
  json.key("closed_again").integer(static_cast<std::int64_t>(use.brief));
  json.key("dials_per_second").number(use.per_second);
  json.key("ports_held").integer(static_cast<std::int64_t>(use.ports_held));
  json.key("ports_share").number(use.share);
  json.key("source").text_or_null(use.source);
  json.key("owners").open('[');
  for (const doctor::Owner& owner : use.owners) {
    json.open('{').key("name").text(owner.name).key("pids").open('[');
    for (const int pid : owner.pids) json.integer(pid);
    json.close(']').key("open").integer(static_cast<std::int64_t>(owner.open));
    json.key("caught_dialling").integer(static_cast<std::int64_t>(owner.dialled)).close('}');
  }
  json.close(']').close('}');
}

void write_finding(JsonWriter& json, const Finding& finding) {
  json.open('{').key("code").text(finding.code).key("severity").text(to_string(finding.severity));
  json.key("sentence").text(finding.sentence).key("destination").text_or_null(finding.destination);
  json.key("pids").open('[');
  for (const int pid : finding.pids) json.integer(pid);
  json.close(']').close('}');
}

}  // namespace

std::string doctor_table(const Diagnosis& diagnosis, const TransportReport* trunkline) {
  const doctor::PortFacts& ports = diagnosis.ports;
  std::string out = line_of("%.1f s; local ports %u to %u, %u usable", diagnosis.seconds, unsigned{ports.low},
                            unsigned{ports.high}, ports.usable());
  if (diagnosis.dials_in_all && diagnosis.whole_namespace) {
    out += ", " + std::to_string(*diagnosis.dials_in_all) + " dials by the kernel's count";
  }
  out += "\n\n";
  if (diagnosis.uses.empty()) {
    out += "no connections\n";
  } else {
    out += line_of("%-28s %6s %9s %8s %14s  %s\n", "DESTINATION", "OPEN", "TIME_WAIT", "DIALS/S", "PORTS", "WHO");
  }
  const std::size_t shown = std::min(diagnosis.uses.size(), most_rows);
  for (std::size_t i = 0; i < shown; ++i) out += row_of(diagnosis.uses[i]);
  const std::uint64_t more = diagnosis.uses.size() - shown + diagnosis.uses_left_out;
  if (more > 0) out += "... and " + std::to_string(more) + " quieter ones (--json has more)\n";
  if (trunkline) out += trunkline_table(*trunkline);
  out += "\n";
  for (const Finding& finding : diagnosis.findings) {
    out += std::string(to_string(finding.severity)) + ": " + finding.sentence + "\n";
  }
  if (diagnosis.findings.empty()) out += "Nothing to say: hardly anybody dials, and ports are plenty.\n";
  for (const std::string& sentence : diagnosis.unseen) out += "not seen: " + sentence + "\n";
  return out;
}

std::string doctor_json(const Diagnosis& diagnosis, const TransportReport* trunkline) {
  const doctor::PortFacts& ports = diagnosis.ports;
  JsonWriter json;
  json.open('{').key("seconds").number(diagnosis.seconds);
  json.key("ports").open('{').key("low").integer(ports.low).key("high").integer(ports.high);
  json.key("reserved").integer(ports.reserved).key("usable").integer(ports.usable()).key("known").boolean(ports.known);
  json.key("ceiling_per_second").number(ports.ceiling(doctor::Address{}));
  json.key("ceiling_per_second_on_loopback").number(ports.ceiling(doctor::Address::v4({127, 0, 0, 1}))).close('}');
  json.key("dials").integer(static_cast<std::int64_t>(diagnosis.dials));
  json.key("dials_in_all");
  diagnosis.dials_in_all ? json.integer(static_cast<std::int64_t>(*diagnosis.dials_in_all)) : json.null();
  json.key("destinations").open('[');
  for (const Use& use : diagnosis.uses) write_use(json, use);
  json.close(']').key("left_out").integer(static_cast<std::int64_t>(diagnosis.uses_left_out));
  json.key("findings").open('[');
  for (const Finding& finding : diagnosis.findings) write_finding(json, finding);
  json.close(']').key("unseen").open('[');
  for (const std::string& sentence : diagnosis.unseen) json.text(sentence);
  json.close(']').key("trunkline");
  if (trunkline) {
    json.open('{').key("url").text(trunkline->url).key("transport").json(trunkline->json);
    json.key("splits").open('[');
    for (const TransportReport::Split& split : trunkline->splits) write_split(json, split);
    json.close(']').close('}');
  } else {
    json.null();
  }
  json.close('}');
  return json.take() + "\n";
}

}  // namespace trunkline::cli
