// faultd from C++: listeners that misbehave as told, and the log of what they saw. One faultd process serves a whole
// test program; its ports are never used twice, so that logs cannot be mixed up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/certificates.h"

namespace trunkline::test {

struct LoggedRequest {
  int connection = 0;
  int number = 0;  // on that connection, from 1
  std::string method;
  std::string target;
  std::string head;  // as received, without the empty line
  std::string body;  // its first 64 KiB
  std::string trailers;
  std::vector<std::string> problems;  // what is wrong with it
  std::int64_t body_bytes = 0;
  std::int64_t sent_bytes = 0;  // of the response's body, where the scenario counts them
  bool complete = false;

  // The value of a field, or "(none)".
  std::string field(std::string_view name) const;
};

struct LoggedConnection {
  int id = 0;
  int requests = 0;
  int peer_port = 0;
  std::string peer;
  std::string tls;  // "TLSv1.3", or empty
  bool resumed = false;
  std::string sni;
  std::string alpn;
  std::string client;  // common name of the client's certificate
  std::string closed;  // "fin", "rst", "cut" (TLS without close_notify) by the client, "server", or empty: open

  // With HTTP/2: what the client said.
  bool http2 = false;
  std::int64_t goaway = -1;  // its code
  std::string goaway_debug;
  std::vector<std::pair<int, std::int64_t>> resets;  // stream and code
  int pings = 0;
  int ping_acks = 0;
  int settings_acks = 0;
  std::int64_t received = 0;  // bytes
};

struct ServerLog {
  int accepts = 0;
  int open = 0;
  int held = 0;
  int handshake_failures = 0;
  std::vector<LoggedRequest> requests;
  std::vector<LoggedConnection> connections;
};

// How a listener serves. `settings` as faultd.py has them: idle, requests, hint, connect, ...
struct Serve {
  std::string scenario = "http";
  std::map<std::string, std::string> settings = {};
  const Certificate* certificate = nullptr;  // with one: TLS
  std::string client_ca = {};                // PEM file: a client certificate is required
  std::string version = {};                  // "1.2" or "1.3" only
  std::string alpn = {};                     // "h2,http/1.1"
  bool tls_optional = false;                 // clear text is served too
};

class Listener {
 public:
  explicit Listener(const Serve& serve);

  int port() const { return port_; }
  bool secure() const { return secure_; }
  std::string url(std::string_view path = "/") const { return url("127.0.0.1", path); }
  std::string url(std::string_view host, std::string_view path) const;
  // "/scenario/NAME?ARGUMENTS".
  std::string scenario(std::string_view name, std::string_view arguments = "") const;
  // "/attack/NAME?ARGUMENTS", of scenario `h2`: faultd/http2.py.
  std::string attack(std::string_view name, std::string_view arguments = "") const;
  // The response is these very bytes. `arguments`: "close=1", "split=1", ...
  std::string raw(std::string_view bytes, std::string_view arguments = "") const;

  ServerLog log() const;
  void reset() const;
  // accepts, requests, open, held, bodies, pings, resets or goaways; false when half a minute was not enough.
  [[nodiscard]] bool wait_for(std::string_view what, std::int64_t at_least) const;
  [[nodiscard]] bool wait_for_exactly(std::string_view what, std::int64_t value) const;
  void release(int count = 0) const;        // held requests, the oldest first; 0: all, and all that come
  void tell(std::string_view order) const;  // all connections: fin, rst, cut or stray
  void set(std::string_view name, std::string_view value) const;
  void up() const;  // of a listener with scenario `bound`
  void close() const;

 private:
  int port_ = 0;
  bool secure_ = false;
};

// With "-" and "_", for arguments of scenarios.
std::string base64url(std::string_view bytes);
// The bytes that scenario `big` and `ok?size=` send.
std::string pattern(std::size_t size);

}  // namespace trunkline::test
