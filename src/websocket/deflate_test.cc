#include "websocket/deflate.h"

#include <gtest/gtest.h>

#include <string>

#include "base/byte_by_byte.h"
#include "websocket/transcript.h"

namespace trunkline::websocket {
namespace deflate_test {

using namespace std::string_literals;

constexpr DeflateParameters forgetful{};
constexpr DeflateParameters keeping{.keep_our_window = true, .keep_peer_window = true};

std::string inflated(Inflater& inflater, std::string_view bytes, std::size_t limit = 1 << 20) {
  std::string out;
  if (inflater.take(bytes, out, limit) != Inflater::Outcome::ok) return "refused";
  return inflater.finish(out, limit) == Inflater::Outcome::ok ? out : "refused";
}

TEST(WebSocketDeflate, reads_the_examples_of_rfc_7692) {
  Inflater inflater(keeping);
  EXPECT_EQ(inflated(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
  EXPECT_EQ(inflated(inflater, "\xf2\x00\x11\x00\x00"s), "Hello");  // refers to the message before
  Inflater other(forgetful);
  EXPECT_EQ(inflated(other, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s), "Hello");  // not compressed
  EXPECT_EQ(inflated(other, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s), "Hello");              // a final block
  EXPECT_EQ(inflated(other, "\x00"s), "");
}

TEST(WebSocketDeflate, takes_back_what_it_has_compressed) {
  std::string large;
  for (int i = 0; i < 200'000; ++i)
    large += static_cast<char>(static_cast<unsigned>(i) * static_cast<unsigned>(i) >> 7U);
  for (const DeflateParameters& parameters : {forgetful, keeping}) {
    Deflater deflater(parameters);
    Inflater inflater(parameters);
    for (const std::string& message : {"Hello"s, ""s, "Hello"s, large, ""s, std::string(100'000, 'x'), "Hello"s}) {
      EXPECT_EQ(inflated(inflater, deflater.compress(message)), message);
    }
  }
}

TEST(WebSocketDeflate, a_bomb_ends_at_the_limit) {
  Deflater deflater(forgetful);
  const std::string bomb = deflater.compress(std::string(10'000'000, '\0'));
  EXPECT_LT(bomb.size(), 20'000U);
  Inflater inflater(forgetful);
  std::string out;
  EXPECT_EQ(inflater.take(bomb, out, 100'000), Inflater::Outcome::too_long);
  EXPECT_LE(out.size(), 100'000U);
}

TEST(WebSocketDeflate, a_message_may_be_as_long_as_the_limit_and_no_longer) {
  for (const std::size_t size : {1U, 16384U, 16385U, 50'000U}) {
    const std::string packed = Deflater(forgetful).compress(std::string(size, 'x'));
    Inflater exact(forgetful);
    EXPECT_EQ(inflated(exact, packed, size).size(), size);
    Inflater small(forgetful);
    EXPECT_EQ(inflated(small, packed, size - 1), "refused");
  }
}

TEST(WebSocketDeflate, refuses_what_is_not_deflate) {
  Inflater inflater(forgetful);
  EXPECT_EQ(inflated(inflater, "\xFF\xFF\xFF"), "refused");
}

TEST(WebSocketDeflate, the_decoder_reads_compressed_messages_in_fragments_and_checks_their_text) {
  Deflater deflater(forgetful);
  const std::string packed = deflater.compress("\xC3\xA4 compressed text");
  const std::string bad = deflater.compress("\xFF");
  const TranscriptSetup setup{.deflate = forgetful};
  const std::string frames = raw({0x41, packed.substr(0, 3)}) + raw({0x89, ""}) + raw({0x80, packed.substr(3)});
  EXPECT_EQ(transcript({frames}, setup), "ping ; text \xC3\xA4 compressed text; idle");
  EXPECT_EQ(transcript(byte_by_byte(frames), setup), transcript({frames}, setup));
  const std::string masked = raw({0x41, packed.substr(0, 3), 0x01020304}) + raw({0x80, packed.substr(3), 0x05060708});
  EXPECT_EQ(transcript({masked}, {.role = Role::server, .deflate = forgetful}), "text \xC3\xA4 compressed text; idle");
  EXPECT_EQ(transcript({raw({0x81, "plain"})}, setup), "text plain; idle");
  EXPECT_TRUE(transcript({raw({0xC1, bad})}, setup).starts_with("error 1007"));
  // RSV1 belongs to the first frame of a message.
  const std::string late = raw({0x41, packed.substr(0, 3)}) + raw({0xC0, packed.substr(3)});
  EXPECT_TRUE(transcript({late}, setup).starts_with("error 1002"));
}

TEST(WebSocketDeflate, the_decoder_bounds_what_a_message_becomes) {
  const std::string packed = Deflater(forgetful).compress(std::string(2000, 'x'));
  TranscriptSetup setup{.deflate = forgetful};
  setup.limits.message_bytes = 1999;
  EXPECT_TRUE(transcript({raw({0xC2, packed})}, setup).starts_with("error 1009"));
  setup.limits.message_bytes = 2000;
  EXPECT_EQ(transcript({raw({0xC2, packed})}, setup), "binary " + std::string(2000, 'x') + "; idle");
}

}  // namespace deflate_test
}  // namespace trunkline::websocket
