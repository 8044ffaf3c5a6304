#include "services/doctor/look.h"

#include <charconv>

namespace trunkline::doctor {
namespace {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

std::string_view take_field(std::string_view& line) {
  const std::size_t end = line.find(' ');
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(end == line.npos ? line.size() : end + 1);
  return field;
}

}  // namespace

// A line of names, then one of values.
std::optional<TcpCounters> read_tcp_counters(std::string_view snmp) {
  while (!snmp.empty()) {
    std::string_view names = take_line(snmp);
    if (!names.starts_with("Tcp: ")) continue;
    std::string_view values = take_line(snmp);
    TcpCounters counters;
    int found = 0;
    while (!names.empty() && !values.empty()) {
      const std::string_view name = take_field(names);
      const std::string_view value = take_field(values);
      std::uint64_t* field = name == "ActiveOpens"    ? &counters.dials
                             : name == "AttemptFails" ? &counters.failed_dials
                                                      : nullptr;
      if (field == nullptr) continue;
      if (std::from_chars(value.data(), value.data() + value.size(), *field).ec != std::errc()) return std::nullopt;
      ++found;
    }
    return found == 2 ? std::optional(counters) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace trunkline::doctor
