// Host names to addresses, on worker threads: a loop never waits for a name server. Answers are kept for 30 s, failures
// for 1 s, and one name is looked up once however many ask for it meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/result.hpp>

#include "net/address.h"
#include "net/loop.h"
#include "net/workers.h"

namespace trunkline::net {

// `done` runs on `loop`'s thread, never from inside this call. Families are interleaved, IPv6 first.
void resolve(Loop& loop, const std::string& host, std::uint16_t port,
             Callback<void(Result<std::vector<Address>>)> done);

// Look-ups made so far; those answered by a literal, the cache or another's look-up do not count.
std::uint64_t lookup_count();

}  // namespace trunkline::net
