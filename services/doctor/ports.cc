#include "services/doctor/ports.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace trunkline::doctor {
namespace {

using EarlyReuse = PortFacts::EarlyReuse;

// The number at the front, taken off.
std::optional<unsigned> take_number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// "8080,9000-9009": how many of these lie between low and high. Lists may overlap.
std::uint32_t count_reserved(std::string_view text, std::uint16_t low, std::uint16_t high) {
  std::vector<bool> taken(65536);
  while (const auto first = take_number(text)) {
    auto last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      last = take_number(text);
    }
    for (unsigned port = *first; last && port <= *last && port < taken.size(); ++port) taken[port] = true;
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  return static_cast<std::uint32_t>(std::count(taken.begin() + low, taken.begin() + high + 1, true));
}

}  // namespace

std::chrono::milliseconds PortFacts::held_after_close(const Address& destination) const {
  const bool early =
      early_reuse == EarlyReuse::everywhere || (early_reuse == EarlyReuse::loopback && destination.is_loopback());
  return early ? reuse_delay : time_wait_length;
}

double PortFacts::ceiling(const Address& destination) const {
  const double seconds = std::chrono::duration<double>(held_after_close(destination)).count();
  return usable() / std::max(seconds, 0.001);
}

PortFacts read_port_facts(const PortTexts& texts) {
  PortFacts facts;
  std::string_view range = texts.range;
  const auto low = take_number(range);
  const auto high = take_number(range);
  if (low && high && *low >= 1 && *low <= *high && *high <= 65535) {
    facts.low = static_cast<std::uint16_t>(*low);
    facts.high = static_cast<std::uint16_t>(*high);
    facts.known = true;
  }
  facts.reserved = count_reserved(texts.reserved, facts.low, facts.high);
  std::string_view reuse = texts.tw_reuse;
  std::string_view delay = texts.tw_delay;
  std::string_view timestamps = texts.timestamps;
  const unsigned mode = take_number(reuse).value_or(2);
  facts.early_reuse = mode == 0 ? EarlyReuse::never : mode == 1 ? EarlyReuse::everywhere : EarlyReuse::loopback;
  // Without timestamps the kernel cannot tell a late segment of the old connection, and waits in full.
  if (take_number(timestamps).value_or(1) == 0) facts.early_reuse = EarlyReuse::never;
  facts.reuse_delay = std::min(std::chrono::milliseconds(take_number(delay).value_or(1000)),
                               std::chrono::milliseconds(time_wait_length));
  return facts;
}

}  // namespace trunkline::doctor
