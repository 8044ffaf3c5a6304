#include "http2/frame_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http2/frames.h"

namespace trunkline::http2 {
namespace {

std::string scanned(std::string_view bytes, std::size_t piece) {
  FrameScanner scanner;
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    std::string_view input = bytes.substr(0, piece);
    while (scanner.next(input)) {
      const FrameHead& found = scanner.frame();
      out += std::to_string(static_cast<int>(found.type)) + ":" + std::to_string(found.length) + ":" +
             std::to_string(found.flags) + " ";
      EXPECT_EQ(scanner.head_bytes().size(), frame_head_size);
    }
    EXPECT_TRUE(input.empty());
  }
  return out + "+" + std::to_string(scanner.kept());
}

TEST(Http2FrameScanner, finds_every_frame_however_the_bytes_are_cut) {
  const std::string bytes = settings({{4, 1}}) + ping() + data(1, std::string(300, 'x'), end_stream) + settings_ack() +
                            frame(static_cast<FrameType>(0xEE), 0xFF, 7, "?");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_EQ(scanned(bytes, piece), "4:6:0 6:8:0 0:300:1 4:0:1 238:1:255 +0") << piece;
  }
}

TEST(Http2FrameScanner, keeps_an_incomplete_head) {
  const std::string bytes = ping() + ping().substr(0, 8);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) EXPECT_EQ(scanned(bytes, piece), "6:8:0 +8") << piece;
}

TEST(Http2FrameScanner, reads_all_three_bytes_of_a_length) {
  FrameScanner scanner;
  std::string_view input("\x12\x34\x56\x09\x04\0\0\0\1", 9);
  ASSERT_TRUE(scanner.next(input));
  EXPECT_EQ(scanner.frame().length, 0x123456U);
  EXPECT_EQ(scanner.frame().type, FrameType::continuation);
}

}  // namespace
}  // namespace trunkline::http2
