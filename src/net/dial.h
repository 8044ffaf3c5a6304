// From a host name to a connection that is ready for its first request: resolve, connect, the proxy, TLS.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

#include "net/loop.h"
#include "net/socks5.h"
#include "net/stream.h"
#include "net/tls.h"
#include "url/proxy_url.h"

namespace trunkline::net {

struct DialProxy {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  // of an HTTP proxy: value of Proxy-Authorization, or empty. A secret: never printed
  ProxyKind kind = ProxyKind::http;
  std::string zone;           // of an IPv6 literal
  Socks5::Credentials login;  // of any. A secret likewise
  // TLS with an https proxy. Its settings, its name and its tickets are never the origin's.
  std::shared_ptr<LazyTlsContext> tls;
  std::string tls_name;
  std::shared_ptr<TlsSessions> sessions;
};

// What all dials of one socket key have in common. Immutable.
struct DialTarget {
  std::string host;     // a name or an IP literal
  bool rooted = false;  // the name is looked up as it is, whatever the resolver's search list
  std::string zone;     // of an IPv6 literal
  std::uint16_t port = 0;
  bool secure = false;
  bool tunnel =
      false;  // through the proxy to the target (CONNECT or SOCKS5); otherwise requests go to the proxy itself
  std::shared_ptr<const DialProxy> proxy;
  std::string bind_address;
  // IP addresses, separated by commas, to dial instead of resolving `host`. Not with a proxy that resolves it itself; a
  // socks5 one is sent one of them.
  std::string address_override;
  std::shared_ptr<const AddressGuard> guard;  // of what is dialled for the target; a proxy's own address is its owner's
  std::string tls_name;                       // SNI and verification
  std::vector<std::string> alpn;
  std::shared_ptr<LazyTlsContext> tls;
  std::shared_ptr<TlsSessions> sessions;
  std::string route;  // for errors: "https://host:port"
};

struct DialLimits {
  Duration resolve{0};
  Duration connect{0};
  Duration proxy{0};  // TLS with the proxy and the opening of the tunnel together
  Duration tls{0};
};

struct Dialled {
  std::unique_ptr<Stream> stream;
  std::string address;
  std::string local_address;  // of our end
  std::string alpn;
  std::string tls;  // TlsStream::description() of the TLS with the target, or empty
  Duration resolve{0};
  Duration connect{0};
  Duration proxy{0};
  Duration handshake{0};
};

// On the loop's thread. `done` is called once, on it, never from inside this call. Errors carry the phase, the address
// and, for EADDRNOTAVAIL and EMFILE, the codes no_ports and no_sockets. The socket is already registered nowhere.
void dial(Loop& loop, std::shared_ptr<const DialTarget> target, const DialLimits& limits,
          Callback<void(Result<Dialled>)> done);

}  // namespace trunkline::net
