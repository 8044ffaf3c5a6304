#include "base/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstdlib>

#include "base/per_thread.h"

namespace trunkline {
namespace {

// EVP_sha256() makes OpenSSL 3.0 look the algorithm up, under a lock, at every init. One fetch for the process avoids
// it; it is never freed, since digests may be computed while the process exits.
const EVP_MD* sha256_method() {
  // Our threads may be in the middle of a handshake when the process exits: OpenSSL must not clean up under them. The
  // first to say so decides, and every TLS context begins with a digest.
  static const int no_cleanup = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  static_cast<void>(no_cleanup);
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}

// These calls fail only when memory or OpenSSL itself is broken; a wrong digest would be worse than the end.
void require(bool ok) {
  if (!ok) std::abort();
}

void start(EVP_MD_CTX* context) { require(EVP_DigestInit_ex2(context, sha256_method(), nullptr) == 1); }

void add(EVP_MD_CTX* context, std::string_view bytes) {
  require(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
}

Sha256::Digest end(EVP_MD_CTX* context) {
  Sha256::Digest digest;
  unsigned length = 0;
  require(EVP_DigestFinal_ex(context, digest.data(), &length) == 1 && length == digest.size());
  return digest;
}

}  // namespace

struct Sha256::Context {
  Context() : evp(EVP_MD_CTX_new()) { require(evp != nullptr); }
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_MD_CTX* evp;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) { start(context_->evp); }

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) { add(context_->evp, bytes); }

Sha256::Digest Sha256::finish() {
  const Digest digest = end(context_->evp);
  start(context_->evp);
  return digest;
}

Sha256::Digest sha256(std::string_view bytes) {
  struct Shared;
  auto& hash = per_thread<Sha256, Shared>();  // keeps the context's memory, which OpenSSL allocates at every first init
  hash.update(bytes);
  return hash.finish();
}

std::string hex(const Sha256::Digest& digest) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size() * 2);
  for (const std::uint8_t byte : digest) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace trunkline
