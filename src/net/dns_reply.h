// What a name server's message says about the addresses of a name (RFC 1035, RFC 2308). Bytes in, values out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace trunkline::net {

enum class RecordType : std::uint16_t { a = 1, aaaa = 28 };

enum class DnsOutcome : unsigned char {
  found,
  no_address,  // the name exists, but has no address of this family
  no_name,     // NXDOMAIN
  failed,      // no answer, or none that can be understood: another attempt may succeed
};

struct DnsReply {
  DnsOutcome outcome = DnsOutcome::failed;
  std::vector<Address> addresses;           // without port, none twice, at most 64
  std::optional<std::chrono::seconds> ttl;  // of the answer with its aliases, or of the denial by the zone's SOA
  std::string why;                          // failed: a part of a sentence for people
  bool no_sockets = false;                  // failed: nobody could be asked, for want of a descriptor
};

DnsReply read_dns_reply(std::string_view message, RecordType type);

}  // namespace trunkline::net
