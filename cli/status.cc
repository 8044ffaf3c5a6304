#include "status.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "ask.h"
#include "base/text.h"
#include "exit_code.h"
#include "fail.h"
#include "output.h"
#include "table.h"

namespace trunkline::cli {
namespace {

using config::Node;

constexpr std::size_t most_lines = 20;
std::string short_at(const Node& node, std::string_view name) { return shown_at(node, name, 100); }
bool is_true(const Node& node, std::string_view name) { return text_at(node, name) == "true"; }

const std::vector<Node>& children_of(const Node& node, std::string_view name) {
  static const std::vector<Node> none;
  const Node* found = node.find(name);
  return found ? found->children : none;
}

// To the precision that people think in; a clock's nanoseconds are of no use here.
std::string span(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "-";
  if (seconds < 100) {
    const double step = seconds < 0.01 ? 1e5 : seconds < 1 ? 1e3 : 10;
    return print_duration(std::chrono::nanoseconds(std::llround(std::round(seconds * step) / step * 1e9)));
  }
  const auto whole = static_cast<long long>(seconds);
  const long long unit = whole < 6000 ? 60 : whole < 360'000 ? 3600 : 86'400;
  const long long rest = whole % unit / (unit == 60 ? 1 : unit == 3600 ? 60 : 3600);
  const std::string_view names = unit == 60 ? "ms" : unit == 3600 ? "hm" : "dh";
  return std::to_string(whole / unit) + names[0] + (rest > 0 ? std::to_string(rest) + names[1] : "");
}

std::string percent(double part, double whole) {
  if (whole <= 0) return "-";
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.1f%%", 100 * part / whole);
  return text.data();
}

// "first 10, peer_closed 2": the counts that are not 0.
std::string counts(const Node& node, std::string_view name) {
  std::string out;
  for (const Node& one : children_of(node, name)) {
    if (one.text != "0") out += (out.empty() ? "" : ", ") + printable(one.key) + ' ' + printable(one.text);
  }
  return out;
}

std::string left_out(std::size_t count) {
  return count > most_lines ? "  and " + std::to_string(count - most_lines) + " more; --json has them all\n" : "";
}

std::string process_part(const Node& status) {
  std::string out = "trunkline " + short_at(status, "version") + ", process " + short_at(status, "pid") + ", up for " +
                    span(number_at(status, "uptime_seconds")) + ": " +
                    (is_true(status, "ready") ? "ready" : "NOT READY") + '\n';
  Table table({"service", "ready", "trouble"});
  for (const Node& service : children_of(status, "services")) {
    table.add({short_at(service, "name"), is_true(service, "ready") ? "yes" : "no", short_at(service, "trouble")});
  }
  return out + (table.empty() ? "" : table.print(2));
}

std::string transport_part(const Node& transport) {
  const Node* pool = transport.find("pool");
  const Node nothing;
  const Node& counters = pool ? *pool : nothing;
  std::string out = "\nConnections: " + short_at(counters, "open") + " open, " + short_at(counters, "active") +
                    " in use, " + short_at(counters, "idle") + " idle; " + short_at(counters, "granted") +
                    " requests, " + percent(number_at(counters, "reused"), number_at(counters, "granted")) +
                    " on reused ones\n";
  const std::string dials = counts(counters, "dials_by_reason");
  if (!dials.empty()) out += "  dials: " + dials + '\n';
  Table table({"route", "protocol", ">open", ">in use", ">idle", ">waiting", ">requests", ">reused"});
  const std::vector<Node>& routes = children_of(transport, "routes");
  for (std::size_t i = 0; i < std::min(routes.size(), most_lines); ++i) {
    const Node& route = routes[i];
    const std::string protocol = short_at(route, "protocol");
    table.add({short_at(route, "route"), protocol.empty() ? "-" : protocol, short_at(route, "open"),
               short_at(route, "active"), short_at(route, "idle"), short_at(route, "waiting"),
               short_at(route, "granted"), percent(number_at(route, "reused"), number_at(route, "granted"))});
  }
  if (!table.empty()) out += table.print(2) + left_out(routes.size());
  for (const Node& route : routes) {
    const std::string advice = printable(text_at(route, "advice"), 1000);
    if (!advice.empty()) out += "  advice for " + short_at(route, "route") + ": " + advice + '\n';
  }
  return out;
}

// Numbers have no protocol's limit where the peer sets none.
std::string streams_of(const Node& connection) {
  const std::string allowed = short_at(connection, "streams_allowed");
  if (allowed == "1") return short_at(connection, "streams");
  return short_at(connection, "streams") + " of " + (allowed.empty() || allowed == "null" ? "any" : allowed);
}

std::string connections_part(const Node& connections) {
  const std::vector<Node>& all = children_of(connections, "connections");
  if (all.empty()) return "";
  Table table({"route", "protocol", "state", ">age", ">idle for", ">requests", ">streams", "opened", "from", "to"});
  for (const Node& one : all) {
    const bool idle = text_at(one, "state") == "idle";
    table.add({short_at(one, "route"), short_at(one, "protocol"), short_at(one, "state"),
               span(number_at(one, "age_seconds")), idle ? span(number_at(one, "idle_seconds")) : "-",
               short_at(one, "requests"), streams_of(one), short_at(one, "dial_reason"), short_at(one, "local"),
               short_at(one, "remote")});
  }
  std::string out = "\nEach connection\n" + table.print(2);
  if (number_at(connections, "left_out") > 0) out += "  and " + short_at(connections, "left_out") + " more\n";
  return out;
}

std::string targets_part(const Node& targets) {
  std::string out;
  for (const Node& cycle : children_of(targets, "cycles")) {
    out += "\nTargets, cycle " + short_at(cycle, "cycle") + ": " + short_at(cycle, "fresh") + " fresh, " +
           short_at(cycle, "late") + " late, " + short_at(cycle, "missing") + " missing; " + short_at(cycle, "dials") +
           " dials, " + short_at(cycle, "reused") + " reused\n";
  }
  if (out.empty()) return "\nTargets: no cycle has ended yet\n";
  std::vector<const Node*> order;
  // What needs somebody's eye comes first.
  for (const bool fresh : {false, true}) {
    for (const Node& target : children_of(targets, "targets")) {
      if ((text_at(target, "state") == "fresh") == fresh) order.push_back(&target);
    }
  }
  Table table({"target", "job", "state", ">age", ">took", "connection", "error"});
  for (std::size_t i = 0; i < std::min(order.size(), most_lines); ++i) {
    const Node& target = *order[i];
    const bool missing = text_at(target, "state") == "missing";
    table.add({short_at(target, "url"), short_at(target, "job"), short_at(target, "state"),
               missing ? "-" : span(number_at(target, "age_seconds")), span(number_at(target, "duration_seconds")),
               short_at(target, "connection"), short_at(target, "error")});
  }
  return out + (table.empty() ? "" : table.print(2) + left_out(order.size()));
}

std::string fleets_part(const Node& fleets) {
  if (fleets.children.empty()) return "";
  Table table({"fleet", ">replicas", ">ready", "bounds", ">decisions", ">up", ">down", ">gaps survived", "last"});
  std::string troubles;
  for (const Node& fleet : fleets.children) {
    const Node* last = fleet.find("last");
    table.add({short_at(fleet, "name"), short_at(fleet, "current"), short_at(fleet, "ready"),
               short_at(fleet, "min") + " to " + short_at(fleet, "max"), short_at(fleet, "decisions"),
               short_at(fleet, "ups"), short_at(fleet, "downs"), short_at(fleet, "gaps_survived"),
               is_true(fleet, "paused") ? "paused"
               : last                   ? short_at(*last, "reason")
                                        : ""});
    const std::string trouble = printable(text_at(fleet, "trouble"), 1000);
    if (!trouble.empty()) troubles += "  " + short_at(fleet, "name") + ": " + trouble + '\n';
  }
  return "\nFleets\n" + table.print(2) + troubles;
}

}  // namespace

std::string status_text(const StatusAnswers& answers) {
  return process_part(answers.status) + transport_part(answers.transport) + connections_part(answers.connections) +
         targets_part(answers.targets) + fleets_part(answers.fleets);
}

int run_status(const StatusFlags& flags) {
  StatusAnswers answers;
  std::string json;
  std::vector<std::pair<std::string, Node*>> questions{{"status", &answers.status},
                                                       {"transport", &answers.transport},
                                                       {"targets", &answers.targets},
                                                       {"fleets", &answers.fleets}};
  if (flags.connections) questions.emplace_back("connections", &answers.connections);
  for (const auto& [name, node] : questions) {
    Result<Reply> reply = ask_api(flags.ask, "/api/v1/" + name + (name == "connections" ? "?limit=1000" : ""));
    if (!reply) return fail("status", reply.error());
    if (reply->status != 200) return fail("status", refusal(flags.ask, *reply), exit_status);
    json += std::string(json.empty() ? "{" : ",") + '"' + name + "\":" + reply->text;
    *node = std::move(reply->content);
  }
  Output out = Output::to_stdout();
  out.write(flags.ask.json ? json + "}\n" : status_text(answers));
  return written("status", out, is_true(answers.status, "ready") ? exit_ok : exit_invalid);
}

}  // namespace trunkline::cli
