#include "load_report.h"

#include <cstdio>
#include <numeric>
#include <string_view>

#include "json_writer.h"

namespace trunkline::cli {
namespace {

template <class... Args>
std::string format(const char* pattern, Args... args) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, pattern, args...);
  return buffer;
}

std::string row(const char* name, const std::string& value) { return format("  %-9s ", name) + value + "\n"; }

std::string in_milliseconds(std::chrono::nanoseconds duration) {
  return format("%.3f ms", std::chrono::duration<double, std::milli>(duration).count());
}

// "first 1, busy 63"
std::string by_reason(const PoolCounters& pool) {
  std::string out;
  for (std::size_t i = 0; i < pool.dials_by_reason.size(); ++i) {
    if (pool.dials_by_reason[i] == 0) continue;
    out += (out.empty() ? "" : ", ") + std::string(to_string(static_cast<DialReason>(i))) + " " +
           std::to_string(pool.dials_by_reason[i]);
  }
  return out;
}

std::string statuses(const Tally& tally) {
  std::string out;
  for (const auto& [status, count] : tally.statuses) {
    out += (out.empty() ? "" : ", ") + std::to_string(status) + ": " + std::to_string(count);
  }
  return out.empty() ? "none" : out;
}

std::string left_behind(const LoadReport& report) {
  const char* warm = report.sockets.open > 0 && report.mode != "isolated" ? " (warm, in the pool)" : "";
  return std::to_string(report.sockets.open) + " open" + warm + ", " + std::to_string(report.sockets.time_wait) +
         " in TIME_WAIT";
}

std::string errors(const Tally& tally) {
  std::string out;
  for (const auto& [code, count] : tally.failed_by_code) {
    out += row(out.empty() ? "errors" : "", std::to_string(count) + " " + std::string(to_string(code)) + " (" +
                                                std::string(to_string(kind_of(code))) + ")");
  }
  if (tally.first_error) out += row("", "the first: " + tally.first_error->describe());
  return out;
}

}  // namespace

void Tally::add(const Tally& other) {
  completed += other.completed;
  body_bytes += other.body_bytes;
  for (const auto& [status, count] : other.statuses) statuses[status] += count;
  for (std::size_t i = 0; i < failed.size(); ++i) failed[i] += other.failed[i];
  for (const auto& [code, count] : other.failed_by_code) failed_by_code[code] += count;
  if (!first_error) first_error = other.first_error;
  latency.add(other.latency);
}

std::uint64_t Tally::failed_total() const { return std::accumulate(failed.begin(), failed.end(), std::uint64_t{0}); }

double LoadReport::per_second() const { return seconds() > 0 ? static_cast<double>(tally.completed) / seconds() : 0; }

double LoadReport::cpu_us_per_request() const {
  const std::uint64_t requests = tally.completed + tally.failed_total();
  const double us = std::chrono::duration<double, std::micro>(cpu_user + cpu_system).count();
  return requests ? us / static_cast<double>(requests) : 0;
}

double LoadReport::reuse() const {
  return pool.granted ? static_cast<double>(pool.reused) / static_cast<double>(pool.granted) : 0;
}

PoolCounters difference(const PoolCounters& after, const PoolCounters& before) {
  PoolCounters change = after;
  change.dials_started -= before.dials_started;
  change.dials_succeeded -= before.dials_succeeded;
  change.dials_failed -= before.dials_failed;
  change.dials_unused -= before.dials_unused;
  change.granted -= before.granted;
  change.reused -= before.reused;
  change.queued -= before.queued;
  change.queue_rejected -= before.queue_rejected;
  for (std::size_t i = 0; i < change.dials_failed_by_phase.size(); ++i)
    change.dials_failed_by_phase[i] -= before.dials_failed_by_phase[i];
  for (std::size_t i = 0; i < change.dials_by_reason.size(); ++i)
    change.dials_by_reason[i] -= before.dials_by_reason[i];
  for (std::size_t i = 0; i < change.closed_by_reason.size(); ++i)
    change.closed_by_reason[i] -= before.closed_by_reason[i];
  for (std::size_t i = 0; i < change.misses.size(); ++i) change.misses[i] -= before.misses[i];
  return change;
}

std::string as_table(const LoadReport& report) {
  const Tally& tally = report.tally;
  const double requests = static_cast<double>(tally.completed + tally.failed_total());
  const auto us = [requests](std::chrono::nanoseconds cpu) {
    return requests > 0 ? std::chrono::duration<double, std::micro>(cpu).count() / requests : 0;
  };
  std::string out = report.method + " " + report.url + ", " + std::to_string(report.concurrency) + " callers, " +
                    report.mode + ", " + (report.blocking ? "blocking calls" : "callbacks") +
                    format(", %.2f s", report.seconds()) + (report.interrupted ? " (interrupted)" : "") + "\n";
  out += row("requests", std::to_string(tally.completed) + " complete, " + std::to_string(tally.failed_total()) +
                             " failed, " + std::to_string(report.retries) + " sent again");
  out += row("statuses", statuses(tally));
  out += row("rate", format("%.1f requests/s, %.2f MB/s", report.per_second(),
                            report.seconds() > 0 ? static_cast<double>(tally.body_bytes) / 1e6 / report.seconds() : 0));
  out += row("cpu", format("%.2f us/request (user %.2f, system %.2f)", report.cpu_us_per_request(), us(report.cpu_user),
                           us(report.cpu_system)));
  if (tally.latency.count() > 0) {
    out += row("latency", "p50 " + in_milliseconds(tally.latency.quantile(0.5)) + ", p90 " +
                              in_milliseconds(tally.latency.quantile(0.9)) + ", p99 " +
                              in_milliseconds(tally.latency.quantile(0.99)) + ", max " +
                              in_milliseconds(tally.latency.max()));
  }
  const std::string reasons = by_reason(report.pool);
  out += row("dials",
             std::to_string(report.pool.dials_started) + (reasons.empty() ? "" : ": " + reasons) +
                 (report.pool.dials_failed ? ", of which failed " + std::to_string(report.pool.dials_failed) : ""));
  out += row("reuse", format("%.2f %%", 100 * report.reuse()));
  out += row("sockets", left_behind(report));
  out += errors(tally);
  out += row("counters", report.broken_law.empty() ? "add up" : "DO NOT ADD UP: " + report.broken_law);
  return out;
}

std::string as_json(const LoadReport& report) {
  const Tally& tally = report.tally;
  const auto count = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  JsonWriter out;
  out.open('{');
  out.key("url").text(report.url).key("method").text(report.method).key("mode").text(report.mode);
  out.key("blocking").boolean(report.blocking).key("concurrency").integer(report.concurrency);
  out.key("interrupted").boolean(report.interrupted).key("seconds").number(report.seconds());
  out.key("requests").integer(count(tally.completed + tally.failed_total()));
  out.key("completed").integer(count(tally.completed)).key("failed").integer(count(tally.failed_total()));
  out.key("retries").integer(count(report.retries)).key("body_bytes").integer(count(tally.body_bytes));
  out.key("statuses").open('{');
  for (const auto& [status, n] : tally.statuses) out.key(std::to_string(status)).integer(count(n));
  out.close('}').key("errors_by_kind").open('{');
  for (std::size_t i = 0; i < tally.failed.size(); ++i) {
    if (tally.failed[i]) out.key(to_string(static_cast<ErrorKind>(i))).integer(count(tally.failed[i]));
  }
  out.close('}').key("errors_by_code").open('{');
  for (const auto& [code, n] : tally.failed_by_code) out.key(to_string(code)).integer(count(n));
  out.close('}').key("first_error");
  out.text_or_null(tally.first_error ? tally.first_error->describe() : "");
  out.key("requests_per_second").number(report.per_second());
  out.key("cpu_us_per_request").number(report.cpu_us_per_request());
  out.key("cpu_user_seconds").seconds(report.cpu_user).key("cpu_system_seconds").seconds(report.cpu_system);
  out.key("latency_seconds").open('{');
  out.key("p50").seconds(tally.latency.quantile(0.5)).key("p90").seconds(tally.latency.quantile(0.9));
  out.key("p99").seconds(tally.latency.quantile(0.99)).key("max").seconds(tally.latency.max());
  out.close('}').key("dials").integer(count(report.pool.dials_started));
  out.key("dials_failed").integer(count(report.pool.dials_failed)).key("dials_by_reason").open('{');
  for (std::size_t i = 0; i < report.pool.dials_by_reason.size(); ++i) {
    const std::uint64_t n = report.pool.dials_by_reason[i];
    if (n) out.key(to_string(static_cast<DialReason>(i))).integer(count(n));
  }
  out.close('}').key("reuse").number(report.reuse()).key("sockets_open").integer(report.sockets.open);
  out.key("time_wait");
  out.integer(report.sockets.time_wait);
  out.key("broken_law").text_or_null(report.broken_law);
  out.close('}');
  return out.take() + "\n";
}

}  // namespace trunkline::cli
