// Host names to addresses, on worker threads: a loop never waits for a name server. Answers are kept for 30 s, failures
// for 1 s, and one name is looked up once however many ask for it meanwhile.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/result.hpp>

#include "net/loop.h"

namespace trunkline::net {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::string text() const;  // "192.0.2.1:443", "[2001:db8::1]:443"
  // An IP literal (with zone for IPv6), or nothing.
  static bool parse(std::string_view ip, std::uint16_t port, Address& out);
};

// `done` runs on `loop`'s thread, never from inside this call. Families are interleaved, IPv6 first.
void resolve(Loop& loop, const std::string& host, std::uint16_t port,
             Callback<void(Result<std::vector<Address>>)> done);

// Look-ups made so far; those answered by a literal, the cache or another's look-up do not count.
std::uint64_t lookup_count();

// Runs `work` on a worker thread (at most 4 in the process), for what is too slow for a loop.
void run_on_worker(Callback<void()> work);

}  // namespace trunkline::net
