// Real proxies from Debian, each a process of its own on a port of 127.0.0.1, with the user "user" and the password
// "pass" unless it is told otherwise.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/process.h"

namespace trunkline::test {

class Tinyproxy {
 public:
  explicit Tinyproxy(bool with_login = true);
  static bool installed();
  int port() const { return port_; }

 private:
  TempDir directory_;
  int port_;
  std::unique_ptr<Process> process_;
};

// Spoken to in clear on one port and in TLS on another.
class Squid {
 public:
  explicit Squid(const Certificate& certificate);
  ~Squid();
  static bool installed();
  int port() const { return port_; }
  int tls_port() const { return tls_port_; }

  // "CONNECT host:port 200": what it did, once it was over; waits until there are that many lines.
  std::vector<std::string> log(std::size_t at_least) const;

 private:
  TempDir directory_;
  int port_, tls_port_;
  std::unique_ptr<Process> process_;
};

class Microsocks {
 public:
  explicit Microsocks(bool with_login = true);
  static bool installed();
  int port() const { return port_; }

 private:
  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace trunkline::test
