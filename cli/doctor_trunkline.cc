#include "doctor_trunkline.h"

#include <algorithm>

#include <boost/json.hpp>
#include <trunkline/client.hpp>

#include "base/text.h"
#include "secrecy.h"

namespace trunkline::cli {
namespace {

namespace json = boost::json;
using Counts = std::vector<std::pair<std::string, long long>>;

constexpr std::size_t most_routes = 100;
constexpr std::size_t answer_limit_bytes = 4 * 1024 * 1024;

// Whoever answers at that port may be anybody: only what is fit for a terminal is kept.
std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value ? value->if_string() : nullptr;
  return text ? printable({text->data(), text->size()}, 1'000) : std::string();
}

long long count_of(const json::value& value) {
  return value.is_int64() ? value.get_int64() : value.is_uint64() ? static_cast<long long>(value.get_uint64()) : 0;
}

Counts counts_of(const json::object& object, std::string_view name) {
  Counts counts;
  const json::value* value = object.if_contains(name);
  const json::object* reasons = value ? value->if_object() : nullptr;
  if (!reasons) return counts;
  for (const auto& [reason, count] : *reasons) {
    if (count_of(count) > 0 && reason != "none") {
      counts.emplace_back(printable({reason.data(), reason.size()}, 40), count_of(count));
    }
  }
  std::sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (counts.size() > 40) counts.resize(40);
  return counts;
}

Error no_stats(const std::string& what) { return {ErrorCode::invalid_response, Phase::done, what}; }

}  // namespace

Result<TransportReport> read_transport(const std::string& text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  const json::object* object = error ? nullptr : value.if_object();
  const json::value* routes = object ? object->if_contains("routes") : nullptr;
  if (!routes || !routes->is_array())
    return no_stats("the answer is not the JSON of a transport: it has no \"routes\"");
  TransportReport report;
  for (const json::value& entry : routes->get_array()) {
    const json::object* route = entry.if_object();
    if (!route || report.routes.size() == most_routes) continue;
    const json::value* open = route->if_contains("open");
    report.routes.push_back({.route = text_of(*route, "route"),
                             .protocol = text_of(*route, "protocol"),
                             .advice = text_of(*route, "advice"),
                             .open = open ? count_of(*open) : 0,
                             .dials = counts_of(*route, "dials_by_reason"),
                             .closes = counts_of(*route, "closed_by_reason"),
                             .misses = counts_of(*route, "misses")});
  }
  report.json = json::serialize(value);  // on one line, whatever it was
  return report;
}

Result<TransportReport> ask_trunkline(const std::string& url) {
  std::string place = url;
  while (place.ends_with('/')) place.pop_back();
  Options options;
  options.timeouts.total = std::chrono::seconds(2);
  options.limits.open_per_host = 1;
  Request request = get(place + "/api/v1/transport");
  request.header("Accept", "application/json").body_limit(answer_limit_bytes);
  Result<Response> response = Client(options).send(std::move(request));
  if (!response) return std::move(response).error();
  if (response->status != 200) {
    return no_stats("/api/v1/transport was answered with status " + std::to_string(response->status));
  }
  Result<TransportReport> report = read_transport(response->body);
  if (report) report->url = shown_url(place);
  return report;
}

}  // namespace trunkline::cli
