#include "doctor_trunkline.h"

#include <algorithm>

#include <boost/json.hpp>
#include <trunkline/client.hpp>

#include "ask.h"
#include "base/text.h"
#include "secrecy.h"

namespace trunkline::cli {
namespace {

namespace json = boost::json;
using Counts = std::vector<std::pair<std::string, long long>>;

constexpr std::size_t most_routes = 100;
constexpr std::size_t most_splits = 10;
constexpr std::size_t most_options = 64;
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
                             .key = text_of(*route, "key"),
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

namespace {

Result<std::string> ask(const AskFlags& flags, const std::string& path, TimePoint deadline) {
  const Duration left = deadline - Clock::now();
  // A limit of zero would be none.
  if (left < std::chrono::milliseconds(1)) return no_stats("the time for its answers was over");
  const Options options = options_of(flags).derive([](Options& o) { o.limits.open_per_host = 1; });
  Result<Request> request = request_of(flags, path);
  if (!request) return std::move(request).error();
  request->header("Accept", "application/json").body_limit(answer_limit_bytes).total_timeout(left);
  Result<Response> response = Client(options).send(*std::move(request));
  if (!response) return std::move(response).error();
  if (response->status == 401) return no_stats("it asks for a password or a token: give it in a file, --login FILE");
  if (response->status != 200) {
    return no_stats(path.substr(0, path.find('?')) + " was answered with status " + std::to_string(response->status));
  }
  return std::move(response->body);
}

// What only looks like a key is not put into a path.
bool is_key(const std::string& key) {
  return !key.empty() && key.size() <= 64 && key.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void explain_split(const AskFlags& flags, TransportReport::Split& split, TimePoint deadline) {
  const Result<std::string> text = ask(flags, "/api/v1/pools/differences?a=" + split.a + "&b=" + split.b, deadline);
  if (!text) {
    split.trouble = text.error().message;
    return;
  }
  json::error_code error;
  const json::value value = json::parse(*text, error);
  if (error || !value.is_array()) {
    split.trouble = "the answer is not a list of options";
    return;
  }
  for (const json::value& entry : value.get_array()) {
    const json::object* option = entry.if_object();
    if (!option || split.options.size() == most_options) continue;
    split.options.push_back({text_of(*option, "option"), text_of(*option, "a"), text_of(*option, "b")});
  }
}

}  // namespace

std::vector<TransportReport::Split> splits_of(const std::vector<TransportReport::Route>& routes) {
  std::vector<TransportReport::Split> splits;
  for (auto later = routes.begin(); later != routes.end(); ++later) {
    const auto first =
        std::find_if(routes.begin(), later, [&](const auto& earlier) { return earlier.route == later->route; });
    if (first == later || first->key == later->key || splits.size() == most_splits) continue;
    if (is_key(first->key) && is_key(later->key)) splits.push_back({later->route, first->key, later->key, {}, {}});
  }
  return splits;
}

Result<TransportReport> ask_trunkline(const AskFlags& flags, TimePoint deadline) {
  const Result<std::string> text = ask(flags, "/api/v1/transport", deadline);
  if (!text) return text.error();
  Result<TransportReport> report = read_transport(*text);
  if (!report) return report;
  report->url = shown_url(base_of(flags.url));
  report->splits = splits_of(report->routes);
  for (TransportReport::Split& split : report->splits) explain_split(flags, split, deadline);
  return report;
}

}  // namespace trunkline::cli
