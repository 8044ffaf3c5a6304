// A server of HTTP/1.1, HTTP/2 (over TLS, and in clear with prior knowledge) and WebSockets, at TCP addresses and unix
// sockets. Each connection speaks what its first bytes, or ALPN, say.
//
//   Router router;
//   router.get("/hello/{name}", [](Request request, Exchange exchange) {
//     exchange.respond({200, "text/plain", "hello " + std::string(request.parameters.get("name")) + "\n"});
//   });
//   auto server = Server::start({}, std::move(router).handler().value());
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <trunkline/result.hpp>

#include "server/exchange.h"
#include "server/gauges.h"
#include "server/settings.h"

namespace trunkline::server {

// Whether text can be a ListenSettings::address, without listening there.
Result<void> check_address(const std::string& text);
// Whether the files are there and hold a certificate with its key.
Result<void> check_certificate(const TlsFiles& files);

class Server {
 public:
  // Reads the certificates, listens and serves from now on. Errors name the address or the file.
  static Result<std::unique_ptr<Server>> start(Settings settings, Handler handler);

  ~Server();  // cuts what drain() has not ended
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where it listens, in the order of the settings, with the ports that the kernel chose: "127.0.0.1:43121".
  const std::vector<std::string>& addresses() const;

  // False from drain() on: what a readiness check answers.
  bool ready() const;
  // Stops listening, tells clients to go (Connection: close, GOAWAY, 1001) and waits until what is under way is
  // finished, or for `limit`; then the rest is cut. True: nothing was. Blocks; not on a loop's thread.
  bool drain(Duration limit);

  Gauges gauges() const;

  // Reads the certificates again, for connections that are yet to come. Blocks for files.
  Result<void> reload_certificates();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::server
