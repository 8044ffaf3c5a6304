// Everything that can be set about a transport. A value: copy it, change a field, pass it on; nothing global changes.
//
// Two identities follow from it (src/client/identity.cc has the table). Every field decides which Transport::shared()
// you get; only those marked [wire] decide which sockets you share. Timeouts and limits never split a pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <trunkline/address_guard.hpp>

namespace trunkline {

using Duration = std::chrono::nanoseconds;

enum class TlsVersion : unsigned char { tls_1_2, tls_1_3 };

// All fields are [wire]. Files are read when the transport is made; their contents, not their paths, are the identity.
struct TlsOptions {
  std::string ca_file;                // PEM; trust these instead of the system's roots
  std::string ca_directory;           // OpenSSL's hashed directory; trust these instead of the system's roots
  std::string ca_pem;                 // PEM in memory; trust these instead of the system's roots
  std::string certificate_file;       // PEM chain shown to servers that ask for one
  std::string certificate_pem;        // the same from memory
  std::string key_file;               // PEM private key of that certificate
  std::string key_pem;                // the same from memory; printed nowhere
  std::string server_name;            // SNI and the name to verify, instead of the URL's host
  bool insecure_skip_verify = false;  // accept ANY certificate: no protection against an active attacker
  TlsVersion minimum_version = TlsVersion::tls_1_2;
  bool session_resumption = true;  // tickets are kept per socket key and never cross it

  TlsOptions();
};

// Which HTTP is spoken. [wire]
enum class Protocol : unsigned char {
  http1,      // HTTP/1.1 only
  automatic,  // the best that both sides speak, chosen by ALPN on https
  http2,      // HTTP/2 over TLS or nothing
  h2c,        // HTTP/2 in clear with prior knowledge
};

// How many connections, and how long they live. The limits of the request that asks decide: transports that share
// sockets do not merge their limits.
struct PoolLimits {
  int open_per_host = 64;              // connections to one socket key, busy or idle; further requests queue
  int idle_per_host = 64;              // kept warm per socket key; more are closed when they come back
  int idle_total = 1024;               // kept warm over all keys of the pool; beyond it the coldest go
  int queue_per_host = 1024;           // requests that wait for a connection; one more fails with `queue_full`
  int requests_per_connection = 9000;  // then the connection is replaced; 0: no limit
  Duration idle_timeout = std::chrono::seconds(55);  // lowered by what the server says or is seen to do
  Duration max_age = std::chrono::minutes(10);       // spread by a fifth, so that pools do not renew in step; 0: none

  PoolLimits();
};

// Each is apart from the others. Zero means none, except for `connect`, `tls` and `proxy`, which are always bounded.
struct Timeouts {
  Duration queue = std::chrono::seconds(30);  // waiting for a connection, dialling included
  Duration resolve = std::chrono::seconds(10);
  Duration connect = std::chrono::seconds(10);  // all addresses together
  Duration proxy = std::chrono::seconds(10);    // TLS with the proxy, and its CONNECT or SOCKS5
  Duration tls = std::chrono::seconds(10);
  Duration write_stall = std::chrono::seconds(30);     // the peer takes no bytes of the request
  Duration first_byte = std::chrono::seconds(60);      // from the end of the request to the response's first byte
  Duration idle_read = std::chrono::seconds(60);       // between two pieces of a response
  Duration total = Duration::zero();                   // the whole call, queue to last byte
  Duration expect_continue = std::chrono::seconds(1);  // then the body is sent without the server's word

  Timeouts();
};

// Of connections that speak HTTP/2.
struct Http2Options {
  // [wire] Bytes that a server may send ahead of the reader: of one response, and of all on one connection together.
  // So this is also the most memory that unread responses take.
  std::size_t stream_window = 1024 * 1024;
  std::size_t connection_window = 16 * 1024 * 1024;
  // [wire] Silence, while requests are under way, after which the server is asked whether it lives; and how long it may
  // take to answer. Zero in either: it is never asked.
  Duration ping_after = std::chrono::seconds(30);
  Duration ping_timeout = std::chrono::seconds(10);
  // [wire] With Protocol::http2 or h2c, use HTTP/1.1 where a server speaks nothing else, instead of failing.
  bool fall_back_to_http1 = false;

  Http2Options();
};

// Bounds on what a server may send.
struct ResponseLimits {
  std::size_t head_bytes = 64 * 1024;  // all heads and trailers of one response
  std::size_t line_bytes = 16 * 1024;
  std::size_t header_count = 200;
  int informational = 10;                     // 1xx before the final response
  std::size_t body_bytes = 64 * 1024 * 1024;  // of a body that is read whole; a streamed one has no bound

  ResponseLimits();
};

struct Options {
  // The defaults, and the same under a name that says so.
  Options();
  static Options standard();
  // Scraping a fleet: 1,000 idle in all, 5 per host, idle for 30 s (longer than a 15 s cycle).
  static Options scrape();
  // Calls to providers, often through a proxy per credential: 200 idle in all, 20 per host, HTTP/2 where offered.
  static Options executor();
  // Hops inside one system: HTTP/2 in clear with prior knowledge, 256 idle in all and per host, idle for 90 s.
  static Options internal();

  // A changed copy: options.derive([](Options& o) { o.timeouts.total = 30s; }).
  template <class Change>
  Options derive(Change&& change) const {
    Options copy = *this;
    std::forward<Change>(change)(copy);
    return copy;
  }

  TlsOptions tls;                           // [wire]
  Protocol protocol = Protocol::automatic;  // [wire]
  // [wire] "http://user:password@host:port", https, socks5 (names are resolved here) or socks5h (where the proxy
  // runs); empty or "direct": none. Without a port 443 for https, 1080 for all others, as curl. Percent-encode user
  // and password. Never read from the environment. What cannot be used fails the request: nothing ever goes direct
  // instead.
  std::string proxy;
  TlsOptions proxy_tls;  // [wire] with an https proxy; `tls` is always the origin's
  // [wire] Whom to reach without the proxy, as NO_PROXY: "internal.example, 10.0.0.0/8, [::1]:8080", "*" for all. A
  // name includes all names below it; nothing is resolved for it.
  std::string no_proxy;
  std::string bind_address;  // [wire] local IP address to dial from
  // [wire] "host:port" dialled as an IP address instead of being resolved, as curl's --resolve. Of two entries for the
  // same the last one counts.
  std::vector<std::pair<std::string, std::string>> resolve;
  std::shared_ptr<const AddressGuard> address_guard;  // [wire] which addresses may be dialled; none: all
  // [wire] Whose connections these are, in words of your own (a tenant, the name of a credential): with another text
  // nothing is shared, though all else is equal. Never sent; only its SHA-256 is kept.
  std::string isolation;
  PoolLimits limits;
  Timeouts timeouts;
  ResponseLimits response;
  Http2Options http2;
  bool retry_stale = true;                   // send again what a dying idle connection swallowed, where that is safe
  std::string user_agent = "trunkline/0.1";  // empty: none
  // Ask for gzip, deflate, br and zstd, and decode what comes; response.body_bytes bounds the text. A body that grows
  // more than 200-fold beyond its first MiB is refused as a bomb. Not for requests that hold an Accept-Encoding or a
  // Range of their own: their bodies stay as they come.
  bool decompress = true;
};

}  // namespace trunkline
