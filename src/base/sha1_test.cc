#include "base/sha1.h"

#include <gtest/gtest.h>

#include <string>

namespace trunkline {
namespace {

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : sha1(bytes)) out.append({digits[byte >> 4U], digits[byte & 15U]});
  return out;
}

TEST(Sha1, gives_the_digests_of_rfc_3174) {
  EXPECT_EQ(hex_of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex_of(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

}  // namespace
}  // namespace trunkline
