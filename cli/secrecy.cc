#include "secrecy.h"

#include <algorithm>

#include <trunkline/headers.hpp>

#include "base/text.h"

namespace trunkline::cli {

std::string Secrecy::header_value(std::string_view name, std::string_view value) const {
  constexpr std::string_view secret[] = {"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"};
  bool hidden = false;
  for (const std::string_view other : secret) hidden |= equals_ignore_case(name, other);
  for (const std::string& other : secret_headers) hidden |= equals_ignore_case(name, other);
  return hidden && !show_secrets ? "[redacted]" : printable(value, 16 * 1024);
}

std::string without_userinfo(std::string_view url) {
  const std::size_t slashes = url.find("//");
  const std::size_t start = slashes == std::string_view::npos ? 0 : slashes + 2;
  // A path may hold "@", an authority ends before it. Backslashes are read as slashes by some.
  const std::size_t end = std::min(url.find_first_of("/?#\\", start), url.size());
  const std::size_t at = url.substr(start, end - start).rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  return std::string(url.substr(0, start)) + std::string(url.substr(start + at + 1));
}

std::string shown_url(std::string_view url) { return printable(without_userinfo(url), 2048); }

}  // namespace trunkline::cli
