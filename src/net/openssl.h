// What the TLS sources of this folder share about OpenSSL: owning pointers, its error queue, and the context.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include <trunkline/result.hpp>

#include "net/tls.h"

namespace trunkline::net {

template <auto free_function>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using SslPtr = std::unique_ptr<SSL, Freed<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

// OpenSSL judges an operation by the thread's whole queue: what another left there would be taken for ours.
inline void clear_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// A file or a setting that cannot be used. The queue is emptied.
inline Error tls_misuse(std::string message) {
  clear_errors();
  return {ErrorCode::invalid_options, Phase::tls, std::move(message)};
}

// OpenSSL's own callback would ask on the terminal.
inline int no_password(char*, int, int, void*) { return -1; }

// The reason of the oldest error in the queue, in OpenSSL's words, or "unknown error". Empties the queue.
std::string take_error_text();

// One code for the data path, where a std::error_code is all there is room for; message() says OpenSSL's words.
std::error_code openssl_error(unsigned long code);

class TlsContext {
 public:
  TlsContext(SslContextPtr context, std::shared_ptr<X509_STORE> store, const TlsMaterial& material)
      : context_(std::move(context)),
        store_(std::move(store)),
        verify_(material.verify),
        resume_(material.session_resumption) {}

  SSL_CTX* get() const { return context_.get(); }
  bool verify() const { return verify_; }
  bool resume() const { return resume_; }

 private:
  SslContextPtr context_;
  std::shared_ptr<X509_STORE> store_;  // also kept by the SSL_CTX; here for those that share it
  bool verify_;
  bool resume_;
};

// Callbacks of every context; the SSL's application data is the stream.
int tls_session_arrived(SSL* ssl, SSL_SESSION* session);
int tls_certificate_judged(int ok, X509_STORE_CTX* store);

struct TlsSessions::Impl {
  static constexpr std::size_t limit = 4;

  std::mutex mutex;
  std::vector<SessionPtr> newest_first;

  void add(SessionPtr session);
  SessionPtr take();  // the newest that may still be used; one of TLS 1.3 is given away for good
};

// How names in certificates are compared: alternative names only, and a wildcard is a whole label.
inline constexpr unsigned int name_check_flags =
    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

}  // namespace trunkline::net
