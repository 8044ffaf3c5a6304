#include "explain.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "ask.h"
#include "exit_code.h"
#include "fail.h"
#include "output.h"
#include "services/config/print.h"
#include "table.h"

namespace trunkline::cli {
namespace {

using config::Node;

std::string moment(double seconds) {
  const auto whole = static_cast<std::time_t>(std::floor(seconds));
  std::tm parts{};
  gmtime_r(&whole, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string metric_line(const Node& metric) {
  std::string line = "  metric " + shown_at(metric, "metric") + ": ";
  const std::string low = shown_at(metric, "low");
  const std::string high = shown_at(metric, "high");
  line += low == high ? low : "between " + low + " and " + high;
  line += ", target " + shown_at(metric, "targetValue") + ", proposes " + shown_at(metric, "proposal") + "; of " +
          shown_at(metric, "expected") + " pods " + shown_at(metric, "fresh") + " fresh, " +
          shown_at(metric, "carried") + " carried, " + shown_at(metric, "missing") + " missing";
  const std::string reason = shown_at(metric, "reason");
  return line + (reason.empty() ? "" : "; " + reason) + '\n';
}

// The fleet's name, when there is only one.
int choose_fleet(const AskFlags& flags, std::string& fleet) {
  const Result<Reply> reply = ask_api(flags, "/api/v1/fleets");
  if (!reply) return fail("explain", reply.error());
  if (reply->status != 200) return fail("explain", refusal(flags, *reply), exit_status);
  const std::vector<Node>& fleets = reply->content.children;
  if (fleets.size() == 1) {
    fleet = text_at(fleets.front(), "name");
    return exit_ok;
  }
  if (fleets.empty()) return fail("explain", "it scales no fleet", exit_invalid);
  std::string names;
  for (const Node& one : fleets) names += ' ' + shown_at(one, "name");
  return fail("explain", "which fleet? There are" + names, exit_misuse);
}

}  // namespace

std::string decision_text(const Node& decision) {
  std::string out = '#' + shown_at(decision, "number") + ' ' + moment(number_at(decision, "t")) + ' ' +
                    shown_at(decision, "policy") + ": " + shown_at(decision, "action") + ", " +
                    shown_at(decision, "current") + " -> " + shown_at(decision, "desired");
  const std::string reason = shown_at(decision, "reason");
  if (!reason.empty()) out += ": " + reason;
  if (text_at(decision, "dryRun") == "true") out += " (dry run)";
  out += '\n';
  if (const Node* metrics = decision.find("metrics")) {
    for (const Node& metric : metrics->children) out += metric_line(metric);
  }
  Table table({"stage", ">before", ">after", "reason"});
  if (const Node* stages = decision.find("stages")) {
    for (const Node& stage : stages->children) {
      table.add(
          {shown_at(stage, "stage"), shown_at(stage, "before"), shown_at(stage, "after"), shown_at(stage, "reason")});
    }
  }
  return out + (table.empty() ? "" : table.print(2));
}

int run_explain(const ExplainFlags& flags) {
  std::string fleet = flags.fleet;
  if (fleet.empty()) {
    if (const int code = choose_fleet(flags.ask, fleet); code != exit_ok) return code;
  }
  const Result<Reply> reply =
      ask_api(flags.ask, "/api/v1/fleets/" + path_part(fleet) + "/decisions?limit=" + std::to_string(flags.last));
  if (!reply) return fail("explain", reply.error());
  if (reply->status == 404 && !text_at(reply->content, "error").empty()) {
    return fail("explain", refusal(flags.ask, *reply), exit_invalid);
  }
  if (reply->status != 200) return fail("explain", refusal(flags.ask, *reply), exit_status);
  std::string text;
  for (const Node& decision : reply->content.children) {
    text += flags.ask.json ? config::print_json(decision) + '\n' : decision_text(decision);
  }
  if (text.empty() && !flags.ask.json) text = "no decision has been made yet\n";
  Output out = Output::to_stdout();
  out.write(text);
  return written("explain", out, exit_ok);
}

}  // namespace trunkline::cli
