#include <trunkline/environment_proxy.hpp>

#include <cstdlib>
#include <initializer_list>

#include "url/no_proxy.h"

namespace trunkline {
namespace {

std::string first_set(Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = environment(static_cast<const char*>(name));  // a Callback takes no lvalues
    if (value && *value) return value;
  }
  return {};
}

}  // namespace

std::string environment_proxy(const Url& url, Environment environment) {
  std::string proxy =
      url.secure() ? first_set(environment, {"https_proxy", "HTTPS_PROXY"}) : first_set(environment, {"http_proxy"});
  if (proxy.empty()) proxy = first_set(environment, {"all_proxy", "ALL_PROXY"});
  if (proxy.empty()) return {};
  if (NoProxy(first_set(environment, {"no_proxy", "NO_PROXY"})).covers(url)) return {};
  return proxy.find("://") == std::string::npos && proxy != "direct" ? "http://" + proxy : proxy;
}

std::string environment_proxy(const Url& url) {
  return environment_proxy(url, [](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace trunkline
