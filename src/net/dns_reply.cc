#include "net/dns_reply.h"

#include <algorithm>
#include <utility>

namespace trunkline::net {
namespace {

constexpr std::size_t address_limit = 64;  // more than fit into a usual reply; a dial never tries as many
constexpr std::size_t name_length_limit = 255;
constexpr std::uint16_t type_soa = 6;
constexpr std::uint16_t class_internet = 1;
constexpr unsigned int rcode_no_name = 3;

// Reads on while there is something; once it has run out, `good` stays false and everything reads as zero.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool good() const { return good_; }

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::uint16_t number16() { return static_cast<std::uint16_t>(number(2)); }

  // A compressed name ends with a pointer, which need not be followed to get past it.
  void skip_name() {
    for (std::size_t length = 0; good_ && length <= name_length_limit;) {
      const std::uint32_t size = number(1);
      if (size == 0) return;
      if ((size & 0xC0) == 0xC0) {
        take(1);
        return;
      }
      if (size & 0xC0) break;
      take(size);
      length += size + 1;
    }
    good_ = false;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

struct Record {
  std::uint16_t type = 0;
  bool internet = false;
  std::chrono::seconds ttl{0};
  std::string_view data;
};

Record read_record(Reader& reader) {
  reader.skip_name();
  Record record;
  record.type = reader.number16();
  record.internet = reader.number16() == class_internet;
  const std::uint32_t ttl = reader.number(4);
  record.ttl = std::chrono::seconds(ttl >> 31 ? 0 : ttl);  // RFC 2181: the highest bit makes it zero
  record.data = reader.take(reader.number16());
  return record;
}

std::optional<std::chrono::seconds> denial_ttl(const Record& soa) {
  Reader reader(soa.data);
  reader.skip_name();
  reader.skip_name();
  reader.take(4 * sizeof(std::uint32_t));  // serial, refresh, retry, expire
  const std::chrono::seconds minimum(reader.number(4));
  if (!reader.good()) return std::nullopt;
  return std::min(soa.ttl, minimum);
}

DnsReply failure(std::string why) {
  DnsReply reply;
  reply.why = std::move(why);
  return reply;
}

std::string name_of_code(unsigned int rcode) {
  switch (rcode) {
    case 1:
      return "FORMERR";
    case 2:
      return "SERVFAIL";
    case 4:
      return "NOTIMP";
    case 5:
      return "REFUSED";
    default:
      return "code " + std::to_string(rcode);
  }
}

}  // namespace

DnsReply read_dns_reply(std::string_view message, RecordType type) {
  Reader reader(message);
  reader.number16();  // the id, by which the reply was found
  const std::uint16_t flags = reader.number16();
  const std::uint16_t questions = reader.number16();
  const std::uint16_t answers = reader.number16();
  const std::uint16_t authorities = reader.number16();
  reader.number16();  // additional records, which say nothing about this name
  const unsigned int rcode = flags & 0xF;
  if (!reader.good()) return failure("the name server's reply is too short");
  if (rcode != 0 && rcode != rcode_no_name) return failure("the name server answered " + name_of_code(rcode));

  DnsReply reply;
  for (int i = 0; i < questions && reader.good(); ++i) {
    reader.skip_name();
    reader.take(4);
  }
  const std::size_t size = type == RecordType::a ? 4 : 16;
  for (int i = 0; i < answers && reader.good(); ++i) {
    const Record record = read_record(reader);
    if (!reader.good() || !record.internet) continue;
    // Aliases count too: the address is this name's only as long as all of them are.
    reply.ttl = reply.ttl ? std::min(*reply.ttl, record.ttl) : record.ttl;
    if (record.type != static_cast<std::uint16_t>(type)) continue;
    if (record.data.size() != size) return failure("the name server's reply holds an address of a wrong length");
    const Address address = Address::from_bytes(record.data);
    const bool known = std::find(reply.addresses.begin(), reply.addresses.end(), address) != reply.addresses.end();
    if (!known && reply.addresses.size() < address_limit) reply.addresses.push_back(address);
  }
  if (!reader.good()) return failure("the name server's reply is cut off");
  if (rcode == 0 && !reply.addresses.empty()) {
    reply.outcome = DnsOutcome::found;
    return reply;
  }

  reply.outcome = rcode == rcode_no_name ? DnsOutcome::no_name : DnsOutcome::no_address;
  reply.addresses.clear();
  reply.ttl.reset();
  for (int i = 0; i < authorities && reader.good() && !reply.ttl; ++i) {
    const Record record = read_record(reader);
    if (reader.good() && record.internet && record.type == type_soa) reply.ttl = denial_ttl(record);
  }
  return reply;
}

}  // namespace trunkline::net
