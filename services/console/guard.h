// Who may ask. The console has no password: it listens on loopback, and what protects it there is that no page from
// elsewhere can read it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <trunkline/headers.hpp>

namespace trunkline::console {

// Against DNS rebinding: a page of evil.example whose name suddenly means 127.0.0.1 still says "Host: evil.example".
// Allowed are localhost and what is below it, every address (no name, so nothing to rebind), and `names`. Any port.
bool host_allowed(std::string_view authority, const std::vector<std::string>& names);

// False when a browser says that another site's page asks (Sec-Fetch-Site), or names an Origin other than this one.
bool same_site(const Headers& request, std::string_view authority);

// Onto every answer: nothing is loaded from elsewhere, nothing is framed, nothing is guessed.
void protect(Headers& response);

}  // namespace trunkline::console
