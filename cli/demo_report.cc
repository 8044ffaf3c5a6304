#include "demo_report.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <vector>

#include "json_writer.h"

namespace trunkline::cli {
namespace {

using demo::Summary;

double in_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string demo_text(const char* format, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

double ratio(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

using DialCounts = std::array<std::uint64_t, dial_reason_count>;

std::uint64_t sum_of(const DialCounts& dials) { return std::accumulate(dials.begin(), dials.end(), std::uint64_t{0}); }

std::string dials_text(const DialCounts& dials) {
  std::string text;
  for (std::size_t i = 0; i < dials.size(); ++i) {
    if (dials[i] == 0) continue;
    text += (text.empty() ? " (" : ", ") + std::to_string(dials[i]) + " " +
            std::string(to_string(static_cast<DialReason>(i)));
  }
  return std::to_string(sum_of(dials)) + (text.empty() ? "" : text + ")");
}

// Replicas asked for, as a row of blocks: what they were most at any time of each part of the whole.
std::string replicas_drawn(const Summary& summary, std::size_t width) {
  static constexpr const char* blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (summary.replicas.empty() || summary.took <= Duration::zero()) return {};
  std::vector<int> most(width, 0);
  for (std::size_t i = 0; i < summary.replicas.size(); ++i) {
    const auto column = [&](Duration at) {
      const double part = in_seconds(at) / in_seconds(summary.took);
      return std::min(width - 1, static_cast<std::size_t>(part * static_cast<double>(width)));
    };
    const Duration until = i + 1 < summary.replicas.size() ? summary.replicas[i + 1].at : summary.took;
    for (std::size_t at = column(summary.replicas[i].at); at <= column(until); ++at) {
      most[at] = std::max(most[at], summary.replicas[i].asked);
    }
  }
  const int top = *std::max_element(most.begin(), most.end());
  std::string drawn;
  for (const int one : most) drawn += blocks[top == 0 ? 0 : (one * 8 + top - 1) / top];
  return drawn;
}

// The last line: was it as it should be?
std::string verdict(const Summary& summary) {
  const traffic::TrafficFigures& traffic = summary.traffic;
  const std::uint64_t failed = traffic.requests_failed + traffic.connects_failed;
  const bool well = failed == 0 && summary.decisions.moved_by_gap == 0 && summary.trouble.empty();
  return std::string("trunkline demo: ") + (well ? "all went well: " : "not all went well: ") +
         std::to_string(traffic.requests) + " requests over " + std::to_string(sum_of(traffic.dials)) + " dials and " +
         std::to_string(traffic.connects) + " WebSockets, " + std::to_string(failed) + " failed; " +
         std::to_string(summary.decisions.moved_by_gap) + " steps because of " + std::to_string(summary.gaps) +
         " gaps\n";
}

void add_dials(JsonWriter& json, const DialCounts& dials) {
  json.open('{');
  for (std::size_t i = 0; i < dials.size(); ++i) {
    if (dials[i] == 0) continue;
    json.key(to_string(static_cast<DialReason>(i))).integer(static_cast<std::int64_t>(dials[i]));
  }
  json.close('}');
}

void add_counts(JsonWriter& json, std::initializer_list<std::pair<const char*, std::uint64_t>> counts) {
  for (const auto& [name, count] : counts) json.key(name).integer(static_cast<std::int64_t>(count));
}

void add_traffic(JsonWriter& json, const traffic::TrafficFigures& figures) {
  json.key("requests").open('{');
  add_counts(json, {{"answered", figures.requests},
                    {"failed", figures.requests_failed},
                    {"elsewhere", figures.requests_elsewhere},
                    {"skipped", figures.requests_skipped},
                    {"reused", figures.reused},
                    {"dials", sum_of(figures.dials)}});
  json.key("reuse_ratio").number(ratio(figures.reused, figures.requests));
  json.key("dials_by_reason");
  add_dials(json, figures.dials);
  json.key("p50_seconds").seconds(figures.request_p50).key("p99_seconds").seconds(figures.request_p99);
  json.close('}');
  json.key("websockets").open('{');
  add_counts(json, {{"connects", figures.connects},
                    {"failed", figures.connects_failed},
                    {"sent_away", figures.sent_away},
                    {"messages", figures.messages}});
  json.key("echo_p50_seconds").seconds(figures.echo_p50).key("echo_p99_seconds").seconds(figures.echo_p99);
  json.key("last_error").text_or_null(figures.last_error);
  json.close('}');
}

void add_scrapes(JsonWriter& json, const Summary& summary) {
  const demo::ScrapeFigures& figures = summary.scrapes;
  json.key("scrapes").open('{');
  json.key("collectors").integer(summary.collectors);
  add_counts(json, {{"cycles", figures.cycles},
                    {"scrapes", figures.scrapes},
                    {"failed", figures.failed},
                    {"reused", figures.reused},
                    {"dials", figures.dials()},
                    {"dials_first_cycles", figures.dials_first_cycles},
                    {"dials_new_backends", figures.dials_new_backends},
                    {"dials_after_gaps", figures.dials_after_gaps},
                    {"dials_steady", figures.dials_steady}});
  json.key("steady_by_reason");
  add_dials(json, figures.steady_by_reason);
  json.key("reuse_ratio").number(ratio(figures.reused, figures.reused + figures.dials()));
  json.close('}');
}

void add_fleet(JsonWriter& json, const Summary& summary) {
  json.key("fleet").open('{');
  add_counts(json, {{"decisions", summary.decisions.decisions},
                    {"ups", summary.decisions.ups},
                    {"downs", summary.decisions.downs},
                    {"reversals", summary.decisions.reversals}});
  json.key("last_step").text_or_null(summary.last_reason);
  json.key("trouble").text_or_null(summary.trouble);
  json.key("replicas").open('[');
  for (const demo::ReplicaPoint& point : summary.replicas) {
    json.open('{').key("at_seconds").seconds(point.at).key("asked").integer(point.asked);
    json.key("ready").integer(point.ready).close('}');
  }
  json.close(']').close('}');
  json.key("gaps").open('{');
  add_counts(json, {{"made", summary.gaps},
                    {"decisions", summary.decisions.with_gap},
                    {"survived", summary.decisions.gaps_survived},
                    {"moved_by_gap", summary.decisions.moved_by_gap}});
  json.close('}');
}

}  // namespace

std::string demo_line(const Summary& summary, std::size_t columns) {
  const std::uint64_t scrape_answers = summary.scrapes.reused + summary.scrapes.dials();
  std::string line =
      demo_text("%4.0fs  %3lld/%-3.0f WebSockets  %2d/%d replicas", in_seconds(summary.took),
                static_cast<long long>(summary.traffic.open), summary.traffic.wanted, summary.ready, summary.asked);
  line += demo_text("  %llu requests, %.1f%% reused", static_cast<unsigned long long>(summary.traffic.requests),
                    100 * ratio(summary.traffic.reused, summary.traffic.requests));
  line += demo_text("  scrapes %.1f%%", 100 * ratio(summary.scrapes.reused, scrape_answers));
  line += summary.silent_now > 0 ? demo_text("  %d silent", summary.silent_now) : std::string();
  if (!summary.last_reason.empty()) line += "  last step: " + summary.last_reason;
  return line.substr(0, columns);
}

std::string demo_table(const Summary& summary) {
  const traffic::TrafficFigures& traffic = summary.traffic;
  const demo::ScrapeFigures& scrapes = summary.scrapes;
  const demo::DecisionFigures& decisions = summary.decisions;
  const auto milliseconds = [](Duration duration) { return demo_text("%.2f ms", 1000 * in_seconds(duration)); };
  std::string text = demo_text("%.0f s of %s%s\n", in_seconds(summary.took),
                               std::string(to_string(summary.shape)).c_str(), summary.naive ? ", naive clients" : "");
  const auto row = [&text](const char* name, const std::string& value) {
    text += demo_text("  %-18s", name) + value + "\n";
  };
  row("requests", std::to_string(traffic.requests) + " answered, " + std::to_string(traffic.requests_failed) +
                      " failed; p50 " + milliseconds(traffic.request_p50) + ", p99 " +
                      milliseconds(traffic.request_p99));
  row("  reused", demo_text("%.1f%%", 100 * ratio(traffic.reused, traffic.requests)));
  row("  dials", dials_text(traffic.dials));
  row("WebSockets", std::to_string(traffic.connects) + " opened, " + std::to_string(traffic.connects_failed) +
                        " failed; " + std::to_string(traffic.sent_away) + " sent away, and back elsewhere");
  row("  echoes", std::to_string(traffic.messages) + "; p50 " + milliseconds(traffic.echo_p50) + ", p99 " +
                      milliseconds(traffic.echo_p99));
  row("scrapes", std::to_string(scrapes.scrapes) + " by " + std::to_string(summary.collectors) +
                     " collectors over one transport, " + std::to_string(scrapes.failed) + " met a gap");
  row("  reused", demo_text("%.1f%%", 100 * ratio(scrapes.reused, scrapes.reused + scrapes.dials())));
  row("  dials", std::to_string(scrapes.dials_first_cycles) + " in the first two cycles, " +
                     std::to_string(scrapes.dials_new_backends) + " to new backends, " +
                     std::to_string(scrapes.dials_after_gaps) + " after gaps");
  row("  dials besides", dials_text(scrapes.steady_by_reason));
  row("replicas", "[" + replicas_drawn(summary, 60) + "]");
  const auto by_asked = [](const auto& a, const auto& b) { return a.asked < b.asked; };
  if (!summary.replicas.empty()) {
    const auto [least, most] = std::minmax_element(summary.replicas.begin(), summary.replicas.end(), by_asked);
    row("", "from " + std::to_string(least->asked) + " to " + std::to_string(most->asked) + "; " +
                std::to_string(decisions.decisions) + " decisions, " + std::to_string(decisions.ups) + " up, " +
                std::to_string(decisions.downs) + " down");
  }
  row("gaps", std::to_string(summary.gaps) + " made; " + std::to_string(decisions.with_gap) + " decisions with one, " +
                  std::to_string(decisions.gaps_survived) + " right all the same");
  row("  moved by a gap", std::to_string(decisions.moved_by_gap));
  if (!summary.naive) row("all dials", dials_text(summary.transport.pool.dials_by_reason));
  row("this process", demo_text("%.2f s of CPU time", summary.cpu_seconds) + "; at most " +
                          std::to_string(summary.time_wait) + " sockets to backends in TIME_WAIT");
  if (!traffic.last_error.empty()) row("last error", traffic.last_error);
  if (!summary.trouble.empty()) row("trouble", summary.trouble);
  return text + verdict(summary);
}

std::string demo_json(const Summary& summary) {
  JsonWriter json;
  json.open('{');
  json.key("traffic").text(to_string(summary.shape)).key("naive").boolean(summary.naive);
  json.key("seconds").seconds(summary.took);
  add_traffic(json, summary.traffic);
  add_scrapes(json, summary);
  add_fleet(json, summary);
  json.key("process").open('{').key("cpu_seconds").number(summary.cpu_seconds);
  add_counts(json, {{"time_wait_most", summary.time_wait}});
  json.close('}');
  json.key("pool").open('{');
  add_counts(json, {{"dials", summary.transport.pool.dials_started}});
  json.key("dials_by_reason");
  add_dials(json, summary.transport.pool.dials_by_reason);
  json.key("broken_law").text_or_null(summary.transport.broken_law());
  json.close('}').close('}');
  return json.take() + "\n";
}

}  // namespace trunkline::cli
