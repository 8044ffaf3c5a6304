// A secret of which only a digest stays in memory: enough to tell whether a guess is right. It is salted with bytes
// that this process drew for itself, so that a copy of its memory can be looked up in no table, and is of no use
// elsewhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace trunkline::run {

class KeptSecret {
 public:
  KeptSecret() = default;                      // there is none
  explicit KeptSecret(std::string_view text);  // empty: there is none
  // Of a user and his password, as HTTP Basic sends them. No password: there is none.
  static KeptSecret login(const std::string& user, const std::string& password);

  bool empty() const { return !digest_; }
  // No, where there is none. How much of a guess was right cannot be learned from the time it takes.
  bool matches(std::string_view guess) const;
  bool operator==(const KeptSecret&) const = default;

 private:
  std::optional<Sha256::Digest> digest_;
};

// Empties a text and the memory that held it.
void wipe(std::string& text);

}  // namespace trunkline::run
