// SHA-256, for content keys. OpenSSL stays in the source file.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trunkline {

class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  Digest finish();  // and starts anew

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256::Digest sha256(std::string_view bytes);  // in one call; the fastest way for short inputs
std::string hex(const Sha256::Digest& digest);  // lower case

}  // namespace trunkline
