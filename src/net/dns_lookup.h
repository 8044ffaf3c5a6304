// One name looked up on one loop: hosts file, search list, and both families asked for at once.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <trunkline/callback.hpp>

#include "net/dns_channel.h"

namespace trunkline::net {

enum class NextStep : unsigned char {
  wait,
  wait_briefly,  // one family is there: the other has 50 ms to come (RFC 8305's Resolution Delay)
  answer,
  try_next_name,  // of the search list
  fail,           // not to go on: what a later name of the search list came to might be another host's address
};
// What replies for one name, as far as they are in, mean. Pure.
NextStep next_step(const std::optional<DnsReply>& ipv6, const std::optional<DnsReply>& ipv4);

struct LookupNews {
  enum Kind : unsigned char {
    slow,     // nothing after a second. More follows
    partial,  // the addresses of one family. More follows
    over,     // the outcome
  };
  Kind kind = over;
  DnsReply reply;  // without ports; IPv6 first
};

// On the loop's thread. `tell` is called there, never from inside this call, until it has heard `over`; it is destroyed
// unheard when the loop ends first. It must not destroy the loop.
void look_up(Loop& loop, std::shared_ptr<const DnsSetup> setup, std::string name, Callback<void(LookupNews)> tell);

}  // namespace trunkline::net
