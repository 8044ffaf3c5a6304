#include "base/sha1.h"

#include <openssl/evp.h>

namespace trunkline {

std::array<std::uint8_t, 20> sha1(std::string_view bytes) {
  std::array<std::uint8_t, 20> digest{};
  EVP_Q_digest(nullptr, "SHA1", nullptr, bytes.data(), bytes.size(), digest.data(), nullptr);
  return digest;
}

}  // namespace trunkline
