#include "policy/retry_rules.h"

#include <array>
#include <charconv>
#include <ctime>

namespace trunkline {
namespace {

constexpr double spare_seconds = 10;
constexpr int most_doublings = 30;

// "Sun, 06 Nov 1994 08:49:37 GMT", the only form that may still be sent (RFC 9110 section 5.6.7).
std::optional<std::int64_t> http_date(std::string_view text) {
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  if (text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') return std::nullopt;
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto* const month = std::find(months.begin(), months.end(), text.substr(8, 3));
  if (month == months.end()) return std::nullopt;
  const auto number = [text](std::size_t at, std::size_t size) {
    int value = -1;
    const char* const end = text.data() + at + size;
    const auto [stop, error] = std::from_chars(text.data() + at, end, value);
    return error == std::errc() && stop == end ? value : -1;
  };
  std::tm time{};
  time.tm_mday = number(5, 2);
  time.tm_mon = static_cast<int>(month - months.begin());
  time.tm_year = number(12, 4) - 1900;
  time.tm_hour = number(17, 2);
  time.tm_min = number(20, 2);
  time.tm_sec = number(23, 2);
  if (time.tm_mday < 1 || time.tm_mday > 31 || time.tm_year < 70 || time.tm_hour < 0 || time.tm_hour > 23) {
    return std::nullopt;
  }
  if (time.tm_min < 0 || time.tm_min > 59 || time.tm_sec < 0 || time.tm_sec > 60) return std::nullopt;
  return timegm(&time);
}

// Worth another try, if it can do no harm.
bool may_pass(const Error& error) {
  if (error.code == ErrorCode::circuit_open || error.code == ErrorCode::timeout_total) return false;
  switch (error.kind) {
    case ErrorKind::overloaded:
    case ErrorKind::unreachable:
    case ErrorKind::disconnected:
    case ErrorKind::timed_out:
      return true;
    default:
      return false;
  }
}

}  // namespace

Duration backoff(const RetryPolicy& policy, int attempts, double chance) {
  const int doublings = std::clamp(attempts - 1, 0, most_doublings);
  const double longest = static_cast<double>(policy.longest_backoff.count());
  const double most =
      std::min(longest, static_cast<double>(policy.backoff.count()) * static_cast<double>(1U << doublings));
  return std::max(policy.shortest_backoff, Duration(static_cast<Duration::rep>(most * chance)));
}

std::optional<Duration> retry_after(std::string_view value, std::int64_t now) {
  std::uint32_t seconds = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, seconds);
  if (error == std::errc() && stop == end && !value.empty()) return std::chrono::seconds(seconds);
  if (error == std::errc::result_out_of_range) return Duration::max();
  if (const std::optional<std::int64_t> date = http_date(value)) {
    return std::chrono::seconds(std::clamp<std::int64_t>(*date - now, 0, UINT32_MAX));
  }
  return std::nullopt;
}

bool may_send_again(const RetryPolicy& policy, bool repeatable, const ResponseHead* head, const Error* error) {
  if (error != nullptr) return may_pass(*error) && (repeatable || error->maybe_processed == MaybeProcessed::no);
  return repeatable && std::find(policy.statuses.begin(), policy.statuses.end(), head->status) != policy.statuses.end();
}

bool RetryBudget::take(const RetryPolicy& policy, TimePoint now) {
  if (last_ != TimePoint{} && now > last_) {
    const double passed = std::chrono::duration<double>(now - last_).count();
    spent_spare_ = std::max(0.0, spent_spare_ - passed * policy.spare / spare_seconds);
  }
  last_ = now;
  if (earned_ >= 1) {
    earned_ -= 1;
    return true;
  }
  if (spent_spare_ + 1 > policy.spare) return false;
  spent_spare_ += 1;
  return true;
}

}  // namespace trunkline
