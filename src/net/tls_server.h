// The server's side of TLS: certificates chosen by the name that the client asks for, read again when their files
// change, without a word to the connections that are open.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

#include "net/tls.h"

namespace trunkline::net {

struct CertificateFiles {
  std::string certificate_file;  // PEM, the server's own first
  std::string key_file;          // PEM; empty: in certificate_file
};

struct TlsServerSettings {
  // The first answers whoever names no host, or one that no certificate holds.
  std::vector<CertificateFiles> certificates;
  TlsVersion minimum_version = TlsVersion::tls_1_2;
  std::string client_ca_file;  // empty: clients are not asked for certificates
  bool client_certificate_required = true;
  std::vector<std::string> alpn;  // the preferred first; a client that offers others only is refused
};

class TlsServer {
 public:
  // Reads files: not on a loop, as reload().
  static Result<std::shared_ptr<TlsServer>> make(const TlsServerSettings& settings);

  // For the next handshake. From any thread.
  std::shared_ptr<TlsContext> context() const;

  // Reads all files again. What cannot be used changes nothing. Tickets stay good: their keys are kept.
  Result<void> reload();
  // The same if one of the files is not what it was (device, inode, size or time). True: it was, and is in use.
  Result<bool> reload_if_changed();

  struct Contexts;  // one for each certificate, in tls_server.cc
 private:
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};
  };

  explicit TlsServer(TlsServerSettings settings) : settings_(std::move(settings)) {}
  std::vector<Stamp> stamps() const;

  const TlsServerSettings settings_;
  mutable std::mutex mutex_;  // of current_
  std::shared_ptr<Contexts> current_;
  std::mutex reloading_;
  std::vector<Stamp> stamps_;  // under reloading_
};

// handshake() waits for the client's first word; what it said is in alpn() and peer() when that is done.
std::unique_ptr<TlsStream> make_tls_server_stream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context);

}  // namespace trunkline::net
