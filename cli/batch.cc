#include "batch.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <boost/json.hpp>

#include "base/nearest.h"
#include "base/text.h"
#include "named_settings.h"

namespace trunkline::cli {
namespace {

namespace json = boost::json;

// Thrown by the readers below, caught by parse_batch: a reason, and the field it is about.
struct Wrong {
  std::string field;
  std::string reason;
};

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

std::string string_in(const json::value& value) {
  if (!value.is_string()) throw Wrong{"", "want a string"};
  return std::string(view(value.get_string()));
}

bool bool_in(const json::value& value) {
  if (!value.is_bool()) throw Wrong{"", "want true or false"};
  return value.get_bool();
}

std::uint64_t count_in(const json::value& value) {
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
  if (value.is_uint64()) return value.get_uint64();
  throw Wrong{"", "want a whole number from 0 on"};
}

// "500ms", or a number of seconds.
Duration duration_in(const json::value& value) {
  const std::string text = value.is_string() ? std::string(view(value.get_string()))
                           : value.is_number()
                               ? json::serialize(value)
                               : throw Wrong{"", "want a time such as \"500ms\", or a number of seconds"};
  Result<Duration> duration = parse_duration(text);
  if (duration) return *duration;
  if (!value.is_number()) throw Wrong{"", duration.error().message};
  const double seconds = value.to_number<double>();  // 1e-3 is a number in JSON and none in parse_duration
  if (!(seconds >= 0 && seconds <= 1e9)) throw Wrong{"", "want between 0 and 1e9 seconds"};
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::uint64_t size_in(const json::value& value) {
  if (!value.is_string()) return count_in(value);
  Result<std::uint64_t> size = parse_size(view(value.get_string()));
  if (!size) throw Wrong{"", size.error().message};
  return *size;
}

// {"Name": "value", "Other": ["one", "two"]} or [["Name", "value"], ...], which keeps order and repetition.
Headers headers_in(const json::value& value) {
  Headers headers;
  if (const json::object* object = value.if_object()) {
    for (const auto& [name, field] : *object) {
      const std::string_view key(name.data(), name.size());
      if (const json::array* values = field.if_array()) {
        for (const json::value& one : *values) headers.add(key, string_in(one));
      } else {
        headers.add(key, string_in(field));
      }
    }
    return headers;
  }
  const json::array* pairs = value.if_array();
  if (!pairs) throw Wrong{"", "want {\"Name\": \"value\"} or [[\"Name\", \"value\"]]"};
  for (const json::value& pair : *pairs) {
    const json::array* two = pair.if_array();
    if (!two || two->size() != 2) throw Wrong{"", "want pairs of name and value"};
    headers.add(string_in((*two)[0]), string_in((*two)[1]));
  }
  return headers;
}

std::string bytes_in_base64(const json::value& value) {
  const std::string text = string_in(value);
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : std::string_view(text).substr(0, text.find('='))) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) throw Wrong{"", "is not base64"};
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) bytes += static_cast<char>(bits >> (count -= 8));
  }
  if (base64(bytes) != text) throw Wrong{"", "is not base64 with its padding"};
  return bytes;
}

std::shared_ptr<const std::string> shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

using Reader = void (*)(PlannedRequest& plan, const json::value& value, const BatchDefaults& defaults);

const std::map<std::string, Reader, std::less<>>& fields() {
  static const std::map<std::string, Reader, std::less<>> table{
      {"id", [](PlannedRequest& p, const json::value& v,
                const BatchDefaults&) { p.id = v.is_string() ? string_in(v) : json::serialize(v); }},
      {"method", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.method = string_in(v); }},
      {"url", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.url = string_in(v); }},
      {"headers", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.headers = headers_in(v); }},
      {"body", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.body = shared(string_in(v)); }},
      {"body_base64",
       [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.body = shared(bytes_in_base64(v)); }},
      {"body_size",
       [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.generated_bytes = size_in(v); }},
      {"chunked", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.chunked = bool_in(v); }},
      {"trailers", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.trailers = headers_in(v); }},
      {"delay", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.delay = duration_in(v); }},
      {"parallel_group",
       [](PlannedRequest& p, const json::value& v, const BatchDefaults&) {
         p.group = v.is_string() ? string_in(v) : v.is_null() ? "" : json::serialize(v);
       }},
      {"timeout", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.total = duration_in(v); }},
      {"timeouts",
       [](PlannedRequest& p, const json::value& v, const BatchDefaults& defaults) {
         const json::object* object = v.if_object();
         if (!object) throw Wrong{"", "want {\"first_byte\": \"500ms\", ...}"};
         p.timeouts = defaults.timeouts;
         for (const auto& [name, value] : *object) {
           const std::string text = print_duration(duration_in(value));
           auto set = set_timeout(*p.timeouts, std::string_view(name.data(), name.size()), text);
           if (!set) throw Wrong{"", set.error().message};
         }
       }},
      {"max_body", [](PlannedRequest& p, const json::value& v,
                      const BatchDefaults&) { p.body_limit = static_cast<std::size_t>(size_in(v)); }},
      {"fresh", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.fresh = bool_in(v); }},
      {"idempotent", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.idempotent = bool_in(v); }},
      {"expect_continue",
       [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.expect_continue = bool_in(v); }},
      {"include_body",
       [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.include_body = bool_in(v); }},
      {"upgrade", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.upgrade = string_in(v); }},
      {"output", [](PlannedRequest& p, const json::value& v, const BatchDefaults&) { p.output = string_in(v); }},
  };
  return table;
}

std::vector<std::string> field_names() {
  std::vector<std::string> names;
  for (const auto& [name, reader] : fields()) names.push_back(name);
  return names;
}

void check_whole(const PlannedRequest& plan, const json::object& object) {
  if (plan.url.empty()) throw Wrong{"url", "is missing"};
  const int bodies = object.contains("body") + object.contains("body_base64") + object.contains("body_size");
  if (bodies > 1) throw Wrong{"body", "only one of body, body_base64 and body_size"};
  if (plan.chunked && bodies == 0) throw Wrong{"chunked", "there is no body"};
  if (!plan.trailers.empty() && !plan.chunked) throw Wrong{"trailers", "only after a body with \"chunked\": true"};
}

PlannedRequest parse_line(std::string_view line, const BatchDefaults& defaults) {
  json::error_code error;
  const json::value value = json::parse(json::string_view(line.data(), line.size()), error);
  if (error) throw Wrong{"", "is not JSON: " + error.message()};
  const json::object* object = value.if_object();
  if (!object) throw Wrong{"", "want an object: {\"url\": \"http://...\"}"};
  PlannedRequest plan;
  plan.include_body = defaults.include_body;
  for (const auto& [name, field] : *object) {
    const std::string_view key(name.data(), name.size());
    const auto reader = fields().find(key);
    if (reader == fields().end()) {
      throw Wrong{printable(key, 40), "is not known" + did_you_mean(key, field_names())};
    }
    try {
      reader->second(plan, field, defaults);
    } catch (const Wrong& wrong) {
      throw Wrong{std::string(key), wrong.reason};
    }
  }
  check_whole(plan, *object);
  if (plan.method.empty()) plan.method = plan.body || plan.generated_bytes ? "POST" : "GET";
  return plan;
}

}  // namespace

Result<std::vector<PlannedRequest>> parse_batch(std::string_view text, std::string_view file,
                                                const BatchDefaults& defaults) {
  std::vector<PlannedRequest> requests;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos || line[start] == '#') continue;
    try {
      requests.push_back(parse_line(line, defaults));
    } catch (const Wrong& wrong) {
      const std::string field = wrong.field.empty() ? "" : "field \"" + wrong.field + "\": ";
      return Error(ErrorCode::invalid_request, Phase::prepare,
                   std::string(file) + ":" + std::to_string(number) + ": " + field + wrong.reason);
    }
  }
  return requests;
}

}  // namespace trunkline::cli
