#include "net/dns_names.h"

#include <algorithm>
#include <cctype>

namespace trunkline::net {
namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t label_length_limit = 63;
constexpr std::size_t domain_limit = 16;  // glibc stops at 6 or 32, depending on its age

std::string_view without_last_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool same(std::string_view one, std::string_view lower) {
  return std::equal(one.begin(), one.end(), lower.begin(), lower.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

// What may stand in a name. Not only letters, digits and hyphens: names with underscores are in use.
bool is_name_character(unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; }

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= label_length_limit &&
         std::all_of(label.begin(), label.end(), [](unsigned char c) { return is_name_character(c); });
}

// "1", "0x7f": the last label of what inet_aton() takes for an address.
bool is_number(std::string_view label) {
  const bool hexadecimal = label.size() >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
  if (hexadecimal) label.remove_prefix(2);
  return std::all_of(label.begin(), label.end(),
                     [=](unsigned char c) { return hexadecimal ? std::isxdigit(c) != 0 : std::isdigit(c) != 0; });
}

}  // namespace

NameKind kind_of_name(std::string_view name) {
  name = without_last_dot(name);
  if (name.empty() || name.size() > longest_name) return NameKind::not_a_name;
  std::string_view last;
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t end = std::min(name.find('.', start), name.size());
    last = name.substr(start, end - start);
    if (!is_label(last)) return NameKind::not_a_name;
    start = end + 1;
  }
  if (is_number(last)) return NameKind::not_a_name;
  if (same(last, "localhost")) return NameKind::loopback;
  if (same(last, "invalid") || same(last, "onion")) return NameKind::nowhere;
  return NameKind::ordinary;
}

std::vector<std::string> search_list(std::string_view name, const std::vector<std::string>& domains, int ndots) {
  if (name.ends_with('.')) return {std::string(without_last_dot(name))};
  std::vector<std::string> list;
  const bool as_it_is_first = std::count(name.begin(), name.end(), '.') >= ndots;
  if (as_it_is_first) list.emplace_back(name);
  for (std::size_t i = 0; i < std::min(domains.size(), domain_limit); ++i) {
    const std::string_view domain = without_last_dot(domains[i]);
    if (domain.empty()) continue;
    std::string full = std::string(name) + "." + std::string(domain);
    if (full.size() <= longest_name) list.push_back(std::move(full));
  }
  if (!as_it_is_first) list.emplace_back(name);
  return list;
}

}  // namespace trunkline::net
