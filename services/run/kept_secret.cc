#include "services/run/kept_secret.h"

#include <cstring>

#include "base/random.h"
#include "base/text.h"

namespace trunkline::run {
namespace {

using Salt = std::array<std::uint8_t, 16>;

// Drawn once: two secrets of one process compare.
const Salt& salt() {
  static const Salt drawn = [] {
    Salt bytes{};
    fill_random(bytes);
    return bytes;
  }();
  return drawn;
}

Sha256::Digest salted(std::string_view text) {
  Sha256 sha;
  sha.update({reinterpret_cast<const char*>(salt().data()), salt().size()});
  sha.update(text);
  return sha.finish();
}

}  // namespace

KeptSecret::KeptSecret(std::string_view text) {
  if (!text.empty()) digest_ = salted(text);
}

KeptSecret KeptSecret::login(const std::string& user, const std::string& password) {
  if (password.empty()) return {};
  std::string both;
  both.reserve(user.size() + 1 + password.size());  // once: what a string outgrows is not wiped
  both.append(user).append(":").append(password);
  std::string sent = base64(both);
  KeptSecret kept(sent);
  wipe(both);
  wipe(sent);
  return kept;
}

bool KeptSecret::matches(std::string_view guess) const {
  if (!digest_) return false;
  const Sha256::Digest of_guess = salted(guess);
  unsigned difference = 0;
  for (std::size_t i = 0; i < of_guess.size(); ++i) difference |= static_cast<unsigned>(of_guess[i] ^ (*digest_)[i]);
  return difference == 0;
}

void wipe(std::string& text) {
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace trunkline::run
