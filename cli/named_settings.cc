#include "named_settings.h"

#include <charconv>
#include <limits>

#include "base/nearest.h"
#include "base/text.h"
#include "fail.h"

namespace trunkline::cli {
namespace {

struct TimeoutRow {
  std::string_view name;
  Duration Timeouts::* field;
};
constexpr TimeoutRow timeout_rows[] = {
    {"queue", &Timeouts::queue},
    {"resolve", &Timeouts::resolve},
    {"connect", &Timeouts::connect},
    {"proxy", &Timeouts::proxy},
    {"tls", &Timeouts::tls},
    {"write_stall", &Timeouts::write_stall},
    {"first_byte", &Timeouts::first_byte},
    {"idle_read", &Timeouts::idle_read},
    {"total", &Timeouts::total},
    {"expect_continue", &Timeouts::expect_continue},
};

struct CountRow {
  std::string_view name;
  int PoolLimits::* field;
};
constexpr CountRow count_rows[] = {
    {"open_per_host", &PoolLimits::open_per_host},
    {"idle_per_host", &PoolLimits::idle_per_host},
    {"idle_total", &PoolLimits::idle_total},
    {"queue_per_host", &PoolLimits::queue_per_host},
    {"requests_per_connection", &PoolLimits::requests_per_connection},
};

struct AgeRow {
  std::string_view name;
  Duration PoolLimits::* field;
};
constexpr AgeRow age_rows[] = {{"idle_timeout", &PoolLimits::idle_timeout}, {"max_age", &PoolLimits::max_age}};

struct SizeRow {
  std::string_view name;
  std::size_t ResponseLimits::* field;
};
constexpr SizeRow size_rows[] = {
    {"head_bytes", &ResponseLimits::head_bytes},
    {"line_bytes", &ResponseLimits::line_bytes},
    {"header_count", &ResponseLimits::header_count},
    {"body_bytes", &ResponseLimits::body_bytes},
};

Error unknown(std::string_view what, std::string_view name, const std::vector<std::string>& known) {
  std::string message =
      "there is no " + std::string(what) + " \"" + printable(name, 40) + "\"" + did_you_mean(name, known);
  message += " (known:";
  for (const std::string& one : known) message += " " + one;
  return misuse(message + ")");
}

Result<int> parse_count(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return misuse("\"" + printable(text, 40) + "\" is not a number from 0 to " +
                  std::to_string(std::numeric_limits<int>::max()));
  }
  return value;
}

}  // namespace

std::vector<std::string> timeout_names() {
  std::vector<std::string> names;
  for (const TimeoutRow& row : timeout_rows) names.emplace_back(row.name);
  return names;
}

std::vector<std::string> limit_names() {
  std::vector<std::string> names;
  for (const CountRow& row : count_rows) names.emplace_back(row.name);
  for (const AgeRow& row : age_rows) names.emplace_back(row.name);
  for (const SizeRow& row : size_rows) names.emplace_back(row.name);
  names.emplace_back("informational");
  return names;
}

Result<void> set_timeout(Timeouts& timeouts, std::string_view name, std::string_view value) {
  for (const TimeoutRow& row : timeout_rows) {
    if (row.name != name) continue;
    Result<Duration> duration = parse_duration(value);
    if (!duration) return misuse("time limit " + std::string(name) + ": " + duration.error().message);
    timeouts.*row.field = *duration;
    return {};
  }
  return unknown("time limit", name, timeout_names());
}

Result<void> set_limit(Options& options, std::string_view name, std::string_view value) {
  const auto in_limit = [name](const Error& error) {
    return misuse("limit " + std::string(name) + ": " + error.message);
  };
  for (const AgeRow& row : age_rows) {
    if (row.name != name) continue;
    Result<Duration> duration = parse_duration(value);
    if (!duration) return in_limit(duration.error());
    options.limits.*row.field = *duration;
    return {};
  }
  for (const SizeRow& row : size_rows) {
    if (row.name != name) continue;
    Result<std::uint64_t> size = parse_size(value);
    if (!size) return in_limit(size.error());
    options.response.*row.field = static_cast<std::size_t>(*size);
    return {};
  }
  int* count = name == "informational" ? &options.response.informational : nullptr;
  for (const CountRow& row : count_rows) {
    if (row.name == name) count = &(options.limits.*row.field);
  }
  if (!count) return unknown("limit", name, limit_names());
  Result<int> parsed = parse_count(value);
  if (!parsed) return in_limit(parsed.error());
  *count = *parsed;
  return {};
}

std::pair<std::string_view, std::string_view> split_assignment(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {text, {}};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace trunkline::cli
