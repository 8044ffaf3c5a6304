// Host names to addresses without a thread that waits: the questions run on the loops (dns_lookup.h). Answers are kept
// for their TTL and refreshed before it ends (name_cache.h), and one name is looked up once in the process, however
// many ask for it meanwhile on whichever loop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/result.hpp>

#include "net/address.h"
#include "net/address_memory.h"
#include "net/dns_channel.h"
#include "net/loop.h"
#include "net/name_cache.h"
#include "net/workers.h"

namespace trunkline::net {

// From any thread. `done` runs on `loop`'s thread, never from inside this call, and is dropped when the loop ends
// first. There is no time limit here: whoever asks has one. The addresses come in the order in which to dial them, as
// address_memory() knows it, so ask once for each dial.
void resolve(Loop& loop, const std::string& host, std::uint16_t port,
             Callback<void(Result<std::vector<Address>>)> done);

// What is known of the host is forgotten: who asks from now on gets what name servers say from now on.
void invalidate(const std::string& host);

// The process's. A dial tells it which addresses failed and which answered; `host` is what resolve() was asked.
AddressMemory& address_memory();

// Look-ups begun so far; those answered by a literal, the cache or another's look-up do not count.
std::uint64_t lookup_count();

// Other name servers, files and times from now on, and nothing known. For tests.
void use_dns_for_tests(DnsSetup setup, const NameCacheLimits& limits = {});

}  // namespace trunkline::net
