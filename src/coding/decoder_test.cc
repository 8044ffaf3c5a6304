#include "coding/decoder.h"

#include <malloc.h>

#include <gtest/gtest.h>

#include "coding/encoders.h"

namespace trunkline::coding {
namespace {

constexpr std::string_view codings[] = {"gzip", "deflate", "br", "zstd"};

struct Cut {
  std::size_t in = SIZE_MAX;    // bytes of input in one call
  std::size_t out = 64 * 1024;  // room in one call
};

// Everything that comes out, and how it ended.
struct Outcome {
  std::string text;
  std::optional<Error> error;
};

Outcome decode_all(std::string_view coding, std::string_view bytes, Cut cut = {}, const DecoderLimits& limits = {}) {
  Outcome outcome;
  auto made = Decoder::make(coding, limits);
  if (!made) return {{}, made.error()};
  Decoder& decoder = **made;
  std::vector<char> room(cut.out);
  for (;;) {
    const std::string_view piece = bytes.substr(0, cut.in);
    auto step = decoder.decode(piece, room);
    if (!step) return {std::move(outcome.text), step.error()};
    outcome.text.append(room.data(), step->given);
    bytes.remove_prefix(step->taken);
    if (step->given == room.size()) continue;
    EXPECT_EQ(step->taken, piece.size()) << "there was room left";
    if (bytes.empty()) break;
  }
  if (auto done = decoder.finish(); !done) outcome.error = done.error();
  return outcome;
}

ErrorCode code_of(const Outcome& outcome) { return outcome.error ? outcome.error->code : ErrorCode::last_; }

// Neither all alike nor noise: words of a small vocabulary in an order that does not repeat.
std::string prose(std::size_t bytes) {
  std::string text;
  std::uint32_t state = 7;
  while (text.size() < bytes) {
    state = state * 1664525 + 1013904223;
    text += "word" + std::to_string((state >> 16) % 997) + ' ';
  }
  text.resize(bytes);
  return text;
}

TEST(Decoder, gives_back_what_each_coding_was_made_from) {
  for (const std::string_view coding : codings) {
    for (const std::size_t size : {0, 1, 100, 70'000, 3'000'000}) {
      const std::string text = prose(size);
      const Outcome outcome = decode_all(coding, coded(coding, text));
      EXPECT_FALSE(outcome.error) << coding << ": " << outcome.error->describe();
      EXPECT_TRUE(outcome.text == text) << coding << " of " << size;
    }
  }
}

TEST(Decoder, does_not_care_how_its_input_and_its_room_are_cut) {
  const std::string text = prose(20'000);
  for (const std::string_view coding : codings) {
    const std::string bytes = coded(coding, text);
    for (const Cut cut : {Cut{1, 64 * 1024}, Cut{SIZE_MAX, 1}, Cut{1, 1}, Cut{7, 3}, Cut{SIZE_MAX, text.size()}}) {
      const Outcome outcome = decode_all(coding, bytes, cut);
      EXPECT_FALSE(outcome.error) << coding;
      EXPECT_TRUE(outcome.text == text) << coding << " in " << cut.in << " out " << cut.out;
    }
  }
}

TEST(Decoder, takes_deflate_with_and_without_its_zlib_frame) {
  const std::string text = prose(5'000);
  for (const int window_bits : {15, 9, -15, -9}) {
    for (const std::size_t in : {std::size_t{1}, SIZE_MAX}) {
      const Outcome outcome = decode_all("deflate", deflated(text, window_bits), {in});
      EXPECT_FALSE(outcome.error) << window_bits;
      EXPECT_EQ(outcome.text, text);
    }
  }
}

TEST(Decoder, refuses_a_body_that_is_cut_off_at_any_byte) {
  const std::string text = prose(600);
  for (const std::string_view coding : codings) {
    const std::string bytes = coded(coding, text);
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      const Outcome outcome = decode_all(coding, std::string_view(bytes).substr(0, size));
      EXPECT_EQ(code_of(outcome), ErrorCode::truncated_body) << coding << " cut at " << size;
      EXPECT_TRUE(text.starts_with(outcome.text)) << coding << " cut at " << size;
    }
  }
}

TEST(Decoder, takes_a_body_without_a_byte_for_an_empty_text) {
  for (const std::string_view coding : codings) {
    const Outcome outcome = decode_all(coding, {});
    EXPECT_FALSE(outcome.error) << coding;
    EXPECT_EQ(outcome.text, "");
  }
}

// br and raw deflate have no checksum. With one, a changed byte may hit a bit without a meaning, but never changes the
// text unnoticed.
TEST(Decoder, never_gives_another_text_for_a_changed_byte_where_there_is_a_checksum) {
  const std::string text = prose(600);
  for (const std::string_view coding : {"gzip", "deflate", "zstd"}) {
    const std::string bytes = coded(coding, text);
    std::size_t refused = 0;
    for (std::size_t at = coding == "gzip" ? 10 : 4; at < bytes.size(); ++at) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ 0x10);
      const Outcome outcome = decode_all(coding, changed);
      EXPECT_TRUE(outcome.error || outcome.text == text) << coding << " at " << at;
      refused += outcome.error ? 1 : 0;
    }
    EXPECT_GT(refused, bytes.size() * 8 / 10) << coding;
  }
}

TEST(Decoder, says_of_plain_text_that_it_is_not_compressed) {
  for (const std::string_view coding : codings) {
    const Outcome outcome = decode_all(coding, "<!doctype html><title>This is no compressed body</title>");
    ASSERT_TRUE(outcome.error) << coding;
    EXPECT_EQ(outcome.error->code, ErrorCode::invalid_response) << coding;
    EXPECT_NE(outcome.error->message.find(coding), std::string::npos) << outcome.error->message;
    EXPECT_NE(outcome.error->message.find("Accept-Encoding"), std::string::npos) << outcome.error->message;
  }
}

TEST(Decoder, reads_gzip_members_and_zstd_frames_one_after_the_other) {
  EXPECT_EQ(decode_all("gzip", gzipped("one ") + gzipped("") + gzipped("two")).text, "one two");
  const std::string skippable("\x50\x2A\x4D\x18\x03\0\0\0abc", 11);
  EXPECT_EQ(decode_all("zstd", zstded("one ") + skippable + zstded("two")).text, "one two");
  for (const std::string_view coding : {"gzip", "zstd"}) {
    const std::string both = coded(coding, "one ") + coded(coding, "two");
    const Outcome outcome = decode_all(coding, both, {1, 1});
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.text, "one two");
    const Outcome cut = decode_all(coding, std::string_view(both).substr(0, both.size() - 1));
    EXPECT_EQ(code_of(cut), ErrorCode::truncated_body) << coding;
  }
}

TEST(Decoder, refuses_bytes_behind_the_end) {
  for (const std::string_view coding : codings) {
    for (const Cut cut : {Cut{}, Cut{1, 1}}) {
      const Outcome outcome = decode_all(coding, coded(coding, "a text") + "garbage", cut);
      EXPECT_EQ(code_of(outcome), ErrorCode::invalid_response) << coding;
      ASSERT_TRUE(outcome.error);
      EXPECT_NE(outcome.error->message.find("behind its end"), std::string::npos) << outcome.error->message;
    }
  }
}

TEST(Decoder, bounds_the_header_of_a_gzip_member) {
  const std::string head("\x1F\x8B\x08\x08\0\0\0\0\0\x03", 10);  // a file name follows
  const std::string rest = gzipped("a text").substr(10);
  EXPECT_EQ(decode_all("gzip", head + std::string(100'000, 'n') + '\0' + rest).text, "a text");
  for (const std::size_t in : {std::size_t{1}, SIZE_MAX}) {
    const Outcome outcome = decode_all("gzip", head + std::string(200'000, 'n') + '\0' + rest, {in});
    EXPECT_EQ(code_of(outcome), ErrorCode::invalid_response);
    EXPECT_EQ(outcome.text, "");
  }
}

TEST(Decoder, takes_off_two_layers_in_the_order_of_the_field) {
  const std::string text = prose(300'000);
  for (const std::string_view inner : codings) {
    for (const std::string_view outer : codings) {
      const std::string field = std::string(inner) + ", " + std::string(outer);
      const std::string bytes = coded(outer, coded(inner, text));
      for (const Cut cut : {Cut{}, Cut{1, 64 * 1024}, Cut{1000, 7}}) {
        const Outcome outcome = decode_all(field, bytes, cut);
        EXPECT_FALSE(outcome.error) << field << ": " << outcome.error->describe();
        EXPECT_TRUE(outcome.text == text) << field;
      }
      EXPECT_EQ(code_of(decode_all(field, std::string_view(bytes).substr(0, bytes.size() - 1))),
                ErrorCode::truncated_body)
          << field;
    }
  }
}

TEST(Decoder, refuses_more_than_two_layers) {
  EXPECT_EQ(code_of(decode_all("gzip, gzip, gzip", "")), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of(decode_all("gzip, identity, , gzip", "")), ErrorCode::last_);
  DecoderLimits one;
  one.max_layers = 1;
  EXPECT_EQ(code_of(decode_all("gzip, br", "", {}, one)), ErrorCode::limit_exceeded);
}

TEST(Decoder, knows_its_codings_by_name_without_case) {
  EXPECT_EQ(decode_all("GZip", gzipped("x")).text, "x");
  EXPECT_EQ(decode_all("x-gzip", gzipped("x")).text, "x");
  EXPECT_EQ(decode_all(" br ,identity", brotlied("x")).text, "x");
  for (const std::string_view nothing : {"", "identity", " , identity,"}) {
    auto made = Decoder::make(nothing, {});
    ASSERT_TRUE(made);
    EXPECT_EQ(*made, nullptr) << nothing;
  }
  const Outcome unknown = decode_all("gzip, comp\nress", "");
  EXPECT_EQ(code_of(unknown), ErrorCode::unsupported);
  EXPECT_NE(unknown.error->message.find("\"comp\\nress\""), std::string::npos) << unknown.error->message;
}

TEST(Decoder, gives_out_as_much_as_is_allowed_and_not_a_byte_more) {
  const std::string text = prose(10'000);
  DecoderLimits limits;
  for (const std::string_view coding : codings) {
    const std::string bytes = coded(coding, text);
    limits.max_output = text.size();
    EXPECT_EQ(decode_all(coding, bytes, {}, limits).text.size(), text.size()) << coding;
    EXPECT_EQ(code_of(decode_all(coding, bytes, {}, limits)), ErrorCode::last_) << coding;
    limits.max_output = text.size() - 1;
    EXPECT_EQ(code_of(decode_all(coding, bytes, {}, limits)), ErrorCode::limit_exceeded) << coding;
    limits.max_output = 0;
    EXPECT_EQ(code_of(decode_all(coding, bytes, {}, limits)), ErrorCode::limit_exceeded) << coding;
  }
  limits.max_output = UINT64_MAX;
  EXPECT_EQ(code_of(decode_all("gzip", gzipped(text), {}, limits)), ErrorCode::last_);
}

TEST(Decoder, refuses_what_grows_beyond_its_ratio_once_the_grace_is_over) {
  const std::string zeros(4 << 20, '\0');
  DecoderLimits limits;
  for (const std::string_view coding : codings) {
    const std::string bytes = coded(coding, zeros);
    const Outcome outcome = decode_all(coding, bytes, {}, limits);
    EXPECT_EQ(code_of(outcome), ErrorCode::limit_exceeded) << coding;
    EXPECT_LE(outcome.text.size(), limits.ratio_grace + 64 * 1024) << coding;
    EXPECT_EQ(code_of(decode_all(coding, coded(coding, zeros.substr(0, 1 << 20)), {}, limits)), ErrorCode::last_);
    DecoderLimits lenient;
    lenient.max_ratio = UINT64_MAX;
    EXPECT_EQ(decode_all(coding, bytes, {}, lenient).text.size(), zeros.size()) << coding;
  }
}

// What is between two layers counts too: much work for nothing is an attack as well.
TEST(Decoder, refuses_a_bomb_between_two_layers) {
  std::string many;
  const std::string empty = gzipped("");
  while (many.size() < (8 << 20)) many += empty;
  EXPECT_EQ(decode_all("gzip", many).text, "");
  const Outcome outcome = decode_all("gzip, br", brotlied(many));
  EXPECT_EQ(code_of(outcome), ErrorCode::limit_exceeded);
}

TEST(Decoder, refuses_a_zstd_window_of_more_than_8_mib) {
  const std::string text = prose(1'000);
  EXPECT_EQ(decode_all("zstd", zstded(text, 23)).text, text);
  const Outcome outcome = decode_all("zstd", zstded(text, 24));
  ASSERT_TRUE(outcome.error);
  EXPECT_NE(outcome.error->message.find("8 MiB"), std::string::npos) << outcome.error->message;
}

// The numbers in decoder.h. Sanitizers have an allocator of their own, which mallinfo knows nothing of.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
std::size_t bytes_in_use() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// The zstd of HTTP is that of RFC 8878. What its beginnings wrote had other numbers in front, and decoders without
// limits.
TEST(Decoder, refuses_the_formats_that_zstd_had_before_its_standard_however_they_are_cut) {
  for (const char first : {'\x1E', '\x22', '\x23', '\x24', '\x25', '\x26', '\x27'}) {
    for (const Cut cut : {Cut{}, Cut{1, 1}, Cut{2, 100}}) {
      const Outcome alone = decode_all("zstd", first + std::string("\xB5\x2F\xFD\x50\x2A\x4D\x18\0\x3A", 9), cut);
      EXPECT_EQ(code_of(alone), ErrorCode::invalid_response) << static_cast<int>(first) << " by " << cut.in;
      const Outcome behind = decode_all("zstd", zstded("one") + first + "\xB5\x2F\xFD\x50\x2A", cut);
      EXPECT_EQ(code_of(behind), ErrorCode::invalid_response) << static_cast<int>(first) << " by " << cut.in;
    }
  }
}

TEST(Decoder, needs_no_more_memory_than_its_comment_says) {
  const std::string text = prose(18 << 20);
  struct Case {
    std::string_view coding;
    std::string bytes;
    std::size_t most_bytes;
  };
  const Case cases[] = {{"gzip", gzipped(text.substr(0, 1 << 20)), 48 << 10},
                        {"deflate", deflated(text.substr(0, 1 << 20), -15), 48 << 10},
                        {"zstd", zstded(text.substr(0, 10 << 20), 23), 9 << 20},
                        {"br", brotlied(text, 24), 20 << 20}};
  for (const Case& one : cases) {
    std::vector<char> room(16 * 1024);
    const std::size_t before = bytes_in_use();
    std::size_t most = 0;
    auto decoder = Decoder::make(one.coding, {});
    std::string_view left = one.bytes;
    for (;;) {
      auto step = (*decoder)->decode(left.substr(0, 16 * 1024), room);
      ASSERT_TRUE(step) << one.coding;
      left.remove_prefix(step->taken);
      most = std::max(most, bytes_in_use() - before);
      if (step->given < room.size() && left.empty()) break;
    }
    EXPECT_TRUE((*decoder)->finish()) << one.coding;
    EXPECT_LE(most, one.most_bytes) << one.coding;
    EXPECT_GE(most, one.most_bytes / 2) << one.coding << ": the comment says more than is so";
  }
}
#endif

// Ten GiB of zeros in 10 MiB: neither the cap nor the ratio depends on how much would follow.
TEST(Decoder, refuses_ten_gibibytes_of_zeros_early) {
  const std::string bytes = gzip_bomb(10 * 1024);
  EXPECT_LT(bytes.size(), 16U << 20);
  const Outcome by_ratio = decode_all("gzip", bytes);
  EXPECT_EQ(code_of(by_ratio), ErrorCode::limit_exceeded);
  EXPECT_LE(by_ratio.text.size(), 2U << 20);
  DecoderLimits no_ratio;
  no_ratio.max_ratio = UINT64_MAX;
  const Outcome by_cap = decode_all("gzip", bytes, {}, no_ratio);
  EXPECT_EQ(code_of(by_cap), ErrorCode::limit_exceeded);
  EXPECT_LE(by_cap.text.size(), no_ratio.max_output);
}

}  // namespace
}  // namespace trunkline::coding
