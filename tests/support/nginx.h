// A real nginx, one worker, in a directory of its own. Its access log says which connection carried which request.
#pragma once

#include <string>
#include <vector>

#include "support/certificates.h"

namespace trunkline::test {

struct NginxOptions {
  std::string server;  // more directives for the server block: "keepalive_requests 10;"
  const Certificate* certificate = nullptr;
  std::string protocols = "TLSv1.2 TLSv1.3";
  std::string client_ca;  // PEM file: a client certificate is required
  bool master = false;    // with a master process, so that it can reload
  bool http2 = false;     // without a certificate: by prior knowledge, and nothing else
};

class Nginx {
 public:
  explicit Nginx(const NginxOptions& options = {});
  ~Nginx();

  static bool installed();
  int port() const { return port_; }
  std::string url(std::string_view path = "/") const;
  void reload() const;  // as `nginx -s reload`: old workers finish, new ones take over

  struct Line {
    long connection = 0;
    int request = 0;  // on that connection
    int status = 0;
    std::string protocol;  // of TLS, or "-"
    std::string resumed;   // "r", or "."
    std::string client;    // the certificate's subject, or "-"
  };
  // Waits until there are that many.
  std::vector<Line> log(std::size_t at_least) const;

 private:
  TempDir directory_;
  int port_ = 0;
  bool secure_ = false;
  std::unique_ptr<Process> process_;
};

}  // namespace trunkline::test
