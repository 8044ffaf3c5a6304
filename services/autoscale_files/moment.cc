#include "services/autoscale_files/moment.h"

#include <charconv>
#include <chrono>

#include "services/config/number.h"

namespace trunkline::autoscale {
namespace {

constexpr std::int64_t latest_second = 4'000'000'000;  // in 2096; sums of two such times still fit

// So many digits at `text`'s front, followed by `separator`; both are removed.
std::optional<int> digits(std::string_view& text, std::size_t count, char separator) {
  int value = 0;
  if (text.size() < count) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count || value < 0) return std::nullopt;
  text.remove_prefix(count);
  if (separator == '\0') return value;
  if (text.empty() || text[0] != separator) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

// "Z", "+02:00" or "-07:30".
std::optional<std::chrono::minutes> zone(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = digits(text, 2, ':');
  const auto minutes = digits(text, 2, '\0');
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return std::chrono::minutes(sign * (*hours * 60 + *minutes));
}

}  // namespace

std::optional<TimePoint> read_moment(std::string_view text) {
  if (const auto seconds = config::read_seconds(text)) {
    if (*seconds < std::chrono::seconds(0) || *seconds > std::chrono::seconds(latest_second)) return std::nullopt;
    return TimePoint(*seconds);
  }
  const auto year = digits(text, 4, '-');
  const auto month = year ? digits(text, 2, '-') : std::nullopt;
  const auto day = month ? digits(text, 2, 'T') : std::nullopt;
  const auto hour = day ? digits(text, 2, ':') : std::nullopt;
  const auto minute = hour ? digits(text, 2, ':') : std::nullopt;
  const auto second = minute ? digits(text, 2, '\0') : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const auto offset = zone(text);
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!offset || !date.ok() || *year < 1970 || *year > 2095) return std::nullopt;
  const auto since_1970 = std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) +
                          std::chrono::minutes(*minute) + std::chrono::seconds(*second) - *offset;
  return TimePoint(since_1970);
}

void moment_field(config::Reader& io, std::string_view name, TimePoint& moment) {
  const config::Node* node = io.take(name);
  if (!node) return;
  if (const auto read = read_moment(node->text)) {
    moment = *read;
  } else {
    io.problem(*node, name,
               "expected a moment such as 2026-11-21T15:00:00Z, or seconds since 1970, got " + config::describe(*node));
  }
}

void moment_field(config::Writer& io, std::string_view name, TimePoint moment) {
  if (moment != never) io.time(name, moment);
}

}  // namespace trunkline::autoscale
