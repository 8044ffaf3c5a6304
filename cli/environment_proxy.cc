#include "environment_proxy.h"

#include <algorithm>

#include <trunkline/headers.hpp>

namespace trunkline::cli {
namespace {

std::string_view first_set(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = environment(name);
    if (value && *value) return value;
  }
  return {};
}

bool matches(const Url& url, std::string_view entry) {
  if (entry == "*") return true;
  const std::size_t colon = entry.rfind(':');
  const bool has_port = colon != std::string_view::npos && (entry.find(':') == colon || entry[colon - 1] == ']');
  if (has_port) {
    if (entry.substr(colon + 1) != std::to_string(url.port())) return false;
    entry = entry.substr(0, colon);
  }
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty()) return false;
  const std::string_view host = url.host();
  if (equals_ignore_case(host, entry)) return true;  // curl and Go read ".example.org" as the domain itself, too
  return !url.is_ip_literal() && host.size() > entry.size() && host[host.size() - entry.size() - 1] == '.' &&
         equals_ignore_case(host.substr(host.size() - entry.size()), entry);
}

}  // namespace

bool is_excepted(const Url& url, std::string_view no_proxy) {
  while (!no_proxy.empty()) {
    const std::size_t start = no_proxy.find_first_not_of(", \t");
    if (start == std::string_view::npos) break;
    no_proxy.remove_prefix(start);
    const std::string_view entry = no_proxy.substr(0, no_proxy.find_first_of(", \t"));
    no_proxy.remove_prefix(entry.size());
    if (matches(url, entry)) return true;
  }
  return false;
}

std::string environment_proxy(const Url& url, const Environment& environment) {
  if (is_excepted(url, first_set(environment, {"no_proxy", "NO_PROXY"}))) return {};
  std::string_view proxy =
      url.secure() ? first_set(environment, {"https_proxy", "HTTPS_PROXY"}) : first_set(environment, {"http_proxy"});
  if (proxy.empty()) proxy = first_set(environment, {"all_proxy", "ALL_PROXY"});
  if (proxy.empty()) return {};
  return proxy.find("://") == std::string_view::npos ? "http://" + std::string(proxy) : std::string(proxy);
}

}  // namespace trunkline::cli
