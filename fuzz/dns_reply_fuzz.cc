// What a name server sends is understood or refused, within bounds: addresses of the family asked for, none twice, and
// never an address along with a failure. The first byte chooses the family.
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "net/dns_reply.h"
#include "require.h"

namespace {

using trunkline::net::DnsOutcome;
using trunkline::net::DnsReply;
using trunkline::net::RecordType;

void check(const DnsReply& reply, RecordType type) {
  require(reply.addresses.empty() == (reply.outcome != DnsOutcome::found), "addresses");
  require(reply.addresses.size() <= 64, "too many addresses");
  require(reply.why.empty() == (reply.outcome != DnsOutcome::failed), "why");
  require(!reply.ttl || (reply.ttl->count() >= 0 && reply.ttl->count() <= 0x7FFFFFFF), "ttl");
  require(reply.outcome != DnsOutcome::found || reply.ttl.has_value(), "an address without a ttl");
  std::set<std::string> known;
  for (const auto& address : reply.addresses) {
    require(address.ip().size() == (type == RecordType::a ? 4u : 16u), "family");
    require(known.insert(address.text()).second, "an address twice");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const RecordType type = data[0] & 1 ? RecordType::aaaa : RecordType::a;
  check(trunkline::net::read_dns_reply({reinterpret_cast<const char*>(data) + 1, size - 1}, type), type);
  return 0;
}
