// Stats as other programs read them: JSON and the Prometheus text format. No library: both need escaping and no more.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <initializer_list>
#include <map>
#include <string_view>
#include <utility>

#include <trunkline/stats.hpp>

#include "base/text.h"

namespace trunkline {
namespace {

template <std::integral Integer>
void append_number(std::string& out, Integer value) {
  std::array<char, 24> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end.ptr);
}

// Never by the locale, and never "nan", which JSON does not know.
void append_number(std::string& out, double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), std::isfinite(value) ? value : 0.0);
  out.append(text.data(), end.ptr);
}

// The gauges of a pool's connections. In one place, so that JSON and Prometheus say the same words.
using State = std::pair<std::string_view, std::int64_t>;
std::array<State, 5> states_of(const PoolCounters& c) {
  return {{{"idle", c.idle},
           {"active", c.active},
           {"draining", c.draining},
           {"upgraded", c.upgraded},
           {"dialing", c.dialing}}};
}

// --- JSON

class JsonWriter {
 public:
  void open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
    first_ = true;  // the value follows without a comma
  }
  template <class Number>
  void member(std::string_view name, Number value) {
    key(name);
    append_number(out_, value);
    first_ = false;
  }
  void member(std::string_view name, const std::string& value) {
    key(name);
    append_json_string(out_, value);
    first_ = false;
  }
  // An object with one member for each value of Enum.
  template <class Enum, std::size_t N>
  void counts(std::string_view name, const std::array<std::uint64_t, N>& counts) {
    key(name);
    open('{');
    for (std::size_t i = 0; i < N; ++i) member(to_string(static_cast<Enum>(i)), counts[i]);
    close('}');
  }
  std::string take() { return std::move(out_); }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string out_;
  bool first_ = true;
};

void write_members(JsonWriter& json, const PoolCounters& c) {
  json.member("dials_started", c.dials_started);
  json.member("dials_succeeded", c.dials_succeeded);
  json.member("dials_failed", c.dials_failed);
  json.counts<DialPhase>("dials_failed_by_phase", c.dials_failed_by_phase);
  json.member("dialing", c.dialing);
  json.counts<DialReason>("dials_by_reason", c.dials_by_reason);
  json.member("dials_unused", c.dials_unused);
  json.member("open", c.open);
  json.member("idle", c.idle);
  json.member("active", c.active);
  json.member("draining", c.draining);
  json.member("upgraded", c.upgraded);
  json.member("leases", c.leases);
  json.member("shared_open", c.shared_open);
  json.member("retiring", c.retiring);
  json.member("limit_changes", c.limit_changes);
  json.member("closed", c.closed());
  json.counts<CloseReason>("closed_by_reason", c.closed_by_reason);
  json.member("granted", c.granted);
  json.member("reused", c.reused);
  json.counts<ReuseMiss>("misses", c.misses);
  json.member("queued", c.queued);
  json.member("waiting", c.waiting);
  json.member("queue_rejected", c.queue_rejected);
}

void write_route(JsonWriter& json, const RouteStats& route) {
  json.open('{');
  json.member("route", route.route);
  json.member("key", route.key);
  json.member("protocol", route.protocol);
  write_members(json, route.counters);
  json.member("learned_idle_seconds", route.learned_idle_seconds);
  json.member("hinted_idle_seconds", route.hinted_idle_seconds);
  json.member("samples", route.samples);
  json.member("p50_seconds", route.p50_seconds);
  json.member("p99_seconds", route.p99_seconds);
  json.member("latency_samples", route.latency_samples);
  json.member("advice", route.advice);
  json.close('}');
}

// --- Prometheus

using Label = std::pair<std::string_view, std::string_view>;

// The format knows three escapes, and asks for UTF-8.
void append_label_value(std::string& out, std::string_view value) {
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    const char c = value.front();
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += value.substr(0, length);
    }
    value.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

class Exposition {
 public:
  // All samples of a family follow it at once: the format allows no others between them.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_ += "# HELP ";
    out_ += name;
    out_ += ' ';
    out_ += help;
    out_ += "\n# TYPE ";
    out_ += name;
    out_ += ' ';
    out_ += type;
    out_ += '\n';
  }
  template <class Number>
  void sample(std::initializer_list<Label> labels, Number value) {
    out_ += name_;
    char before = '{';
    for (const auto& [label, text] : labels) {
      out_ += before;
      out_ += label;
      out_ += "=\"";
      append_label_value(out_, text);
      out_ += '"';
      before = ',';
    }
    if (labels.size() > 0) out_ += '}';
    out_ += ' ';
    append_number(out_, value);
    out_ += '\n';
  }
  template <class Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample({}, value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
  std::string name_;
};

void write_requests(Exposition& page, const RequestCounters& requests) {
  page.family("trunkline_requests_total", "counter",
              "Requests that ended, by outcome: completed, or the kind of error.");
  page.sample({{"outcome", "completed"}}, requests.completed);
  for (std::size_t i = 0; i < requests.failed.size(); ++i) {
    page.sample({{"outcome", to_string(static_cast<ErrorKind>(i))}}, requests.failed[i]);
  }
  page.single("trunkline_requests_in_flight", "gauge", "Requests that were started and have not ended.",
              requests.in_flight);
  page.single("trunkline_request_retries_total", "counter", "Requests that were sent a second time.", requests.retries);
}

void write_pool(Exposition& page, const PoolCounters& pool) {
  page.family("trunkline_dials_total", "counter", "Dials that were started, by why a connection was needed.");
  for (std::size_t i = 0; i < pool.dials_by_reason.size(); ++i) {
    page.sample({{"reason", to_string(static_cast<DialReason>(i))}}, pool.dials_by_reason[i]);
  }
  page.family("trunkline_dials_failed_total", "counter", "Dials that led to no connection, by how far they came.");
  for (std::size_t i = 0; i < pool.dials_failed_by_phase.size(); ++i) {
    page.sample({{"phase", to_string(static_cast<DialPhase>(i))}}, pool.dials_failed_by_phase[i]);
  }
  page.single("trunkline_dials_unused_total", "counter", "Connections that closed without having carried a request.",
              pool.dials_unused);
  page.family("trunkline_connections", "gauge", "Connections, by what they are doing.");
  for (const auto& [state, count] : states_of(pool)) page.sample({{"state", state}}, count);
  page.single("trunkline_leases", "gauge", "Requests under way on connections.", pool.leases);
  page.single("trunkline_connections_shared", "gauge", "Open connections that carry several requests at once.",
              pool.shared_open);
  page.single("trunkline_connections_retiring", "gauge",
              "Connections that take no more requests and close when the last one ends.", pool.retiring);
  page.single("trunkline_limit_changes_total", "counter",
              "How often peers changed the number of requests that they permit at once.", pool.limit_changes);
  page.family("trunkline_connections_closed_total", "counter", "Connections that closed, by why.");
  for (std::size_t i = 0; i < pool.closed_by_reason.size(); ++i) {
    page.sample({{"reason", to_string(static_cast<CloseReason>(i))}}, pool.closed_by_reason[i]);
  }
  page.single("trunkline_reuse_total", "counter", "Requests that got a connection which had carried others.",
              pool.reused);
  page.family("trunkline_reuse_misses_total", "counter", "Requests that got a new connection, by why none was reused.");
  for (std::size_t i = 0; i < pool.misses.size(); ++i) {
    const auto miss = static_cast<ReuseMiss>(i);
    if (miss != ReuseMiss::none) page.sample({{"reason", to_string(miss)}}, pool.misses[i]);
  }
  page.single("trunkline_queued_total", "counter", "Requests that had to wait for a connection.", pool.queued);
  page.single("trunkline_queue_waiting", "gauge", "Requests that wait for a connection.", pool.waiting);
  page.single("trunkline_queue_rejected_total", "counter", "Requests that failed because the queue was full.",
              pool.queue_rejected);
}

// One series may appear once only; two sockets keys of one host differ by their key, if they have one.
using Routes = std::map<std::pair<std::string_view, std::string_view>, RouteStats>;

Routes merged(const std::vector<RouteStats>& routes) {
  Routes result;
  for (const RouteStats& route : routes) {
    const auto [at, is_new] = result.try_emplace({route.route, route.key}, route);
    if (!is_new) at->second.counters.add(route.counters);
  }
  return result;
}

void write_routes(Exposition& page, const Routes& routes) {
  if (routes.empty()) return;
  page.family("trunkline_route_dials_total", "counter", "Dials to the busiest routes, by why a connection was needed.");
  for (const auto& [key, route] : routes) {
    for (std::size_t i = 0; i < route.counters.dials_by_reason.size(); ++i) {
      page.sample({{"route", key.first}, {"key", key.second}, {"reason", to_string(static_cast<DialReason>(i))}},
                  route.counters.dials_by_reason[i]);
    }
  }
  page.family("trunkline_route_connections", "gauge", "Connections of the busiest routes, by what they are doing.");
  for (const auto& [key, route] : routes) {
    for (const auto& [state, count] : states_of(route.counters)) {
      page.sample({{"route", key.first}, {"key", key.second}, {"state", state}}, count);
    }
  }
  struct Family {
    std::string_view name;
    std::string_view type;
    std::string_view help;
    std::uint64_t (*value)(const PoolCounters&);
  };
  constexpr std::array<Family, 6> families{{
      {"trunkline_route_dials_failed_total", "counter", "Dials to the busiest routes that led to no connection.",
       [](const PoolCounters& c) { return c.dials_failed; }},
      {"trunkline_route_granted_total", "counter", "Requests of the busiest routes that got a connection.",
       [](const PoolCounters& c) { return c.granted; }},
      {"trunkline_route_leases", "gauge", "Requests under way on connections of the busiest routes.",
       [](const PoolCounters& c) { return static_cast<std::uint64_t>(std::max<std::int64_t>(c.leases, 0)); }},
      {"trunkline_route_reuse_total", "counter", "Requests of the busiest routes that reused a connection.",
       [](const PoolCounters& c) { return c.reused; }},
      {"trunkline_route_queue_waiting", "gauge", "Requests of the busiest routes that wait for a connection.",
       [](const PoolCounters& c) { return static_cast<std::uint64_t>(std::max<std::int64_t>(c.waiting, 0)); }},
      {"trunkline_route_queue_rejected_total", "counter", "Requests of the busiest routes that found the queue full.",
       [](const PoolCounters& c) { return c.queue_rejected; }},
  }};
  for (const Family& family : families) {
    page.family(family.name, family.type, family.help);
    for (const auto& [key, route] : routes) {
      page.sample({{"route", key.first}, {"key", key.second}}, family.value(route.counters));
    }
  }
  page.family("trunkline_route_learned_idle_seconds", "gauge",
              "How long the server was seen to keep idle connections; 0 when it is not known.");
  for (const auto& [key, route] : routes) {
    page.sample({{"route", key.first}, {"key", key.second}}, route.learned_idle_seconds);
  }
}

}  // namespace

std::string Stats::to_json() const {
  JsonWriter json;
  json.open('{');
  json.key("requests");
  json.open('{');
  json.member("started", requests.started);
  json.member("completed", requests.completed);
  json.counts<ErrorKind>("failed", requests.failed);
  json.member("in_flight", requests.in_flight);
  json.member("retries", requests.retries);
  json.close('}');
  json.key("pool");
  json.open('{');
  write_members(json, pool);
  json.close('}');
  json.key("routes");
  json.open('[');
  for (const RouteStats& route : routes) write_route(json, route);
  json.close(']');
  json.member("routes_left_out", routes_left_out);
  json.key("sockets");
  json.open('{');
  json.member("open", sockets_open);
  json.member("limit", sockets_limit);
  json.close('}');
  json.close('}');
  return json.take();
}

std::string Stats::to_prometheus() const {
  Exposition page;
  write_requests(page, requests);
  write_pool(page, pool);
  page.single("trunkline_sockets_open", "gauge", "Sockets of the whole process.", sockets_open);
  page.single("trunkline_sockets_limit", "gauge", "How many sockets the process may open.", sockets_limit);
  page.single("trunkline_routes_left_out", "gauge", "Routes too quiet to be shown one by one.", routes_left_out);
  write_routes(page, merged(routes));
  return page.take();
}

}  // namespace trunkline
