// The request that a redirect asks for: a function of the request, where it went and what came back.
//
// A credential belongs to one origin. Once it has been dropped nothing brings it back, on no later hop: the next
// request is made from the last one, never from the first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <trunkline/request.hpp>
#include <trunkline/response.hpp>
#include <trunkline/result.hpp>
#include <trunkline/url.hpp>

namespace trunkline {

struct RedirectRules {
  bool allow_downgrade = false;  // from https to http
  std::vector<std::string>
      secret_headers;  // dropped with Authorization and Cookie; the caller knows what else is secret
};

// Nothing: the response is the final one. An error: it asks for what we do not do.
// `from` is the URL that `request` went to. A body is kept only if it can be sent again; its source is rewound here.
// Neither Referer nor the userinfo of a Location is ever turned into a header.
Result<std::optional<Request>> redirected(const Request& request, const Url& from, const ResponseHead& response,
                                          const RedirectRules& rules = {});

bool same_origin(const Url& a, const Url& b);  // secure or not (wss is as https), host (with zone), port

}  // namespace trunkline
