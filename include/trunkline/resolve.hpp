// Host names to addresses, as the library itself sees them: its cache, its name servers, its hosts file.
#pragma once

#include <string>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

namespace trunkline {

// All addresses of a name, IPv4 and IPv6, as text without port, in alphabetical order. `done` is called exactly once,
// on a loop thread, and never from inside this call; after `limit` at the latest, with `timeout_resolve`. A literal
// address is its own answer.
void start_resolve(std::string host, Duration limit, Callback<void(Result<std::vector<std::string>>)> done);

// The same, blocking; not for loop threads.
Result<std::vector<std::string>> resolve(std::string host, Duration limit);

}  // namespace trunkline
