// The proxy that the environment names for a URL. The library never asks by itself: only who calls this does.
//
//   Options options;
//   options.proxy = environment_proxy(*Url::parse(url));  // of this URL: others may have another
#pragma once

#include <string>

#include <trunkline/callback.hpp>
#include <trunkline/url.hpp>

namespace trunkline {

using Environment = Callback<const char*(const char* name)>;  // as getenv

// As Options::proxy takes it; empty: none. http_proxy (lower case only: HTTP_PROXY can be set by a CGI request's
// "Proxy:" header), https_proxy, all_proxy and no_proxy, the last three in either case, lower case first. A value
// without a kind is an http proxy. What cannot be read is passed on: the request fails then, and does not go direct.
std::string environment_proxy(const Url& url, Environment environment);

// The process's own, which nobody may change meanwhile (setenv is not for programs with threads).
std::string environment_proxy(const Url& url);

}  // namespace trunkline
