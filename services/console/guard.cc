#include "services/console/guard.h"

#include <algorithm>
#include <string>

#include <trunkline/url.hpp>

namespace trunkline::console {

bool host_allowed(std::string_view authority, const std::vector<std::string>& names) {
  // Url is as strict as our own requests are: what has two readings has none here.
  const auto url = Url::parse("http://" + std::string(authority) + "/");
  if (!url || url->has_userinfo() || url->path() != "/" || url->has_query()) return false;
  const std::string_view host = url->host();
  if (url->is_ip_literal() || host == "localhost" || host.ends_with(".localhost")) return true;
  return std::any_of(names.begin(), names.end(), [host](const std::string& name) {
    const auto allowed = Url::parse("http://" + name + "/");
    return allowed && allowed->host() == host;
  });
}

bool same_site(const Headers& request, std::string_view authority) {
  const std::string_view site = request.get("sec-fetch-site").value_or("same-origin");
  // "none": typed by the user, or from a bookmark. "cross-site" may follow a link to the page, but not ask the API.
  if (site != "same-origin" && site != "none") return false;
  const auto origin = request.get("origin");
  if (!origin) return true;
  return *origin == "http://" + std::string(authority) || *origin == "https://" + std::string(authority);
}

void protect(Headers& response) {
  response.set("Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
               "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("X-Frame-Options", "DENY");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  response.set("Cross-Origin-Opener-Policy", "same-origin");
}

}  // namespace trunkline::console
