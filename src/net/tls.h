// TLS by OpenSSL, over any Stream: contexts that are parsed once and shared, tickets kept per socket key, and a stream
// that decrypts from and encrypts into memory, so that a record costs no extra system call.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

#include "net/stream.h"

namespace trunkline::net {

// TlsOptions with files already read. Equal material gives the same context.
struct TlsMaterial {
  bool system_roots = true;     // trust the system's store (OpenSSL's default file and directory)
  std::string ca_pem;           // otherwise these
  std::string ca_directory;     // otherwise this hashed directory
  std::string certificate_pem;  // chain
  std::string key_pem;
  bool verify = true;
  TlsVersion minimum_version = TlsVersion::tls_1_2;
  bool session_resumption = true;
};

class TlsContext;  // an SSL_CTX; immutable, shared by all connections with that material

// Parses and checks. Slow (25 ms and more for the system's roots): never on a loop. The CA store is parsed once per
// content and shared between contexts.
Result<std::shared_ptr<TlsContext>> make_tls_context(const TlsMaterial& material);

// Makes the context when it is first needed, once, on whichever thread asks (a worker's, in a dial).
class LazyTlsContext {
 public:
  explicit LazyTlsContext(TlsMaterial material);
  Result<std::shared_ptr<TlsContext>> get();  // may be slow, blocks others that ask meanwhile
  bool ready() const;                         // get() would return at once

 private:
  TlsMaterial material_;
  mutable std::mutex mutex_;
  std::shared_ptr<TlsContext> context_;  // failures are not kept
};

// Session tickets of one socket key: at most a few, single use for TLS 1.3, newest first.
class TlsSessions {
 public:
  TlsSessions();
  ~TlsSessions();
  void clear();
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// What a server knows of its client.
struct TlsPeer {
  std::string server_name;  // SNI, or empty
  // Of its certificate, when one was asked for and shown; it was verified. RFC 2253, and SHA-256 in hex.
  std::string subject;
  std::string fingerprint;
};

class TlsStream : public Stream {
 public:
  enum class Step : unsigned char { done, again, failed };
  virtual Step handshake(Scratch& scratch) = 0;
  // After `failed`: why, as a sentence ("certificate has expired"), and whether it was about trust.
  virtual std::string failure() const = 0;
  virtual bool untrusted() const = 0;
  virtual std::string alpn() const = 0;         // what was agreed, or empty
  virtual std::string description() const = 0;  // "TLSv1.3 TLS_AES_256_GCM_SHA384" and ", resumed"
  virtual TlsPeer peer() const = 0;             // on a server, after the handshake
};

// `name` is a host name or an IP address: SNI (names only) and what the certificate must hold (SAN only, no CN).
std::unique_ptr<TlsStream> make_tls_stream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context,
                                           const std::string& name, const std::vector<std::string>& alpn,
                                           std::shared_ptr<TlsSessions> sessions);

}  // namespace trunkline::net
