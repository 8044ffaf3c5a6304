// The proxy that the environment names for a URL. Read only when --proxy-from-env asks for it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <trunkline/url.hpp>

namespace trunkline::cli {

using Environment = std::function<const char*(const char* name)>;  // as getenv

// Empty: none. http_proxy (lower case only: HTTP_PROXY can be set by a CGI request's "Proxy:" header), https_proxy,
// all_proxy and no_proxy, the last three in either case.
std::string environment_proxy(const Url& url, const Environment& environment);

// One list of "example.org", ".example.org", "*.example.org", "host:port", "10.0.0.1" or "*", as in no_proxy.
bool is_excepted(const Url& url, std::string_view no_proxy);

}  // namespace trunkline::cli
