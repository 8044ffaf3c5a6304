// Real proxies from Debian, each a process of its own on a port of 127.0.0.1, with the user "user" and the password
// "pass" unless it is told otherwise. What each has seen of us is in its own log: the oracle of what was dialled.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/process.h"

namespace trunkline::test {

class RealProxy {
 public:
  virtual ~RealProxy() = default;
  int port() const { return port_; }
  // By SIGKILL, with all its connections; and back again, on the same port.
  void kill() const;
  void restart();
  // Where it is spoken to in TLS; 0: nowhere.
  int tls_port() const { return tls_port_; }
  // Connections that clients have made to it, as far as its log tells: of tinyproxy, microsocks and dante all are
  // tunnels; of squid and HAProxy they are known once a request or a tunnel on them is over.
  virtual int connections() const = 0;

 protected:
  RealProxy();
  virtual void start() = 0;
  // A file in which localhost is 127.0.0.1 and nothing else: on most machines it is ::1 as well, where no test's server
  // listens, and not every proxy tries a second address.
  std::string hosts();
  // A shell command, as the process; that file is its /etc/hosts, where mounts are permitted.
  void run(const std::string& command);
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  TempDir directory_;
  int port_;
  int tls_port_ = 0;
  std::unique_ptr<Process> process_;
};

class Tinyproxy : public RealProxy {
 public:
  explicit Tinyproxy(bool with_login = true);
  static bool installed();
  int connections() const override;

 private:
  void start() override;
  const bool with_login_;
};

// Spoken to in clear on one port and in TLS on another.
class Squid : public RealProxy {
 public:
  explicit Squid(const Certificate& certificate, bool with_login = true);
  ~Squid() override;
  static bool installed();
  int connections() const override;

  // "CONNECT host:port 200 CLIENTS_PORT": what it did, once it was over; waits until there are that many lines.
  std::vector<std::string> log(std::size_t at_least) const;

 private:
  void start() override;
  const Certificate certificate_;
  const bool with_login_;
};

// HAProxy is no proxy for clients, but it stands in front of some: it ends their TLS, asks for the login and hands
// CONNECT on, here to a tinyproxy. Requests in absolute form it carries itself, to 127.0.0.1 whatever the name.
class Haproxy : public RealProxy {
 public:
  explicit Haproxy(const Certificate& certificate, bool with_login = true);
  static bool installed();
  int connections() const override;

 private:
  void start() override;
  const Certificate certificate_;
  const bool with_login_;
  const Tinyproxy behind_{false};
};

class Microsocks : public RealProxy {
 public:
  explicit Microsocks(bool with_login = true);
  static bool installed();
  int connections() const override;

 private:
  void start() override;
  const bool with_login_;
};

// Its users are those of the machine, and so it runs where other files lie over /etc/passwd and /etc/shadow, for it
// alone: in namespaces of its own, which not every machine permits.
class Dante : public RealProxy {
 public:
  explicit Dante(bool with_login = true);
  static bool installed();
  int connections() const override;

 private:
  void start() override;
  const bool with_login_;
};

}  // namespace trunkline::test
