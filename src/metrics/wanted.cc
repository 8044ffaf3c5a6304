#include "metrics/wanted.h"

#include <array>
#include <utility>

namespace trunkline::metrics {
namespace {

bool is_suffix(std::string_view text) {
  constexpr std::array<std::string_view, 9> suffixes = {"",         "_bucket", "_count",  "_sum", "_total",
                                                        "_created", "_info",   "_gcount", "_gsum"};
  for (const std::string_view suffix : suffixes) {
    if (text == suffix) return true;
  }
  return false;
}

}  // namespace

Wanted::Wanted(std::vector<std::string> names, std::vector<std::string> prefixes)
    : names_(std::move(names)), prefixes_(std::move(prefixes)) {}

bool Wanted::sample(std::string_view name) const {
  if (everything()) return true;
  for (const std::string& prefix : prefixes_) {
    if (name.starts_with(prefix)) return true;
  }
  for (const std::string& one : names_) {
    if (name.starts_with(one) && is_suffix(name.substr(one.size()))) return true;
  }
  return false;
}

bool Wanted::family(std::string_view name) const {
  if (sample(name)) return true;
  for (const std::string& prefix : prefixes_) {
    if (std::string_view(prefix).starts_with(name) && prefix[name.size()] == '_') return true;
  }
  for (const std::string& one : names_) {
    if (std::string_view(one).starts_with(name) && is_suffix(std::string_view(one).substr(name.size()))) return true;
  }
  return false;
}

}  // namespace trunkline::metrics
