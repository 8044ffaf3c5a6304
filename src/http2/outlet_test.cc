#include "http2/outlet.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace trunkline::http2 {
namespace {

// What comes out in buffers of that size, until one comes out empty.
template <class Next>
std::string all_of(Outlet& outlet, std::size_t buffer_bytes, const Next& next) {
  std::string out;
  std::vector<char> buffer(buffer_bytes);
  while (const std::size_t size = outlet.fill(buffer, next)) out.append(buffer.data(), size);
  return out;
}

TEST(Http2Outlet, gives_what_was_made_early_first_and_then_frame_by_frame) {
  for (const std::size_t size : {1U, 3U, 100U}) {
    Outlet outlet;
    EXPECT_TRUE(outlet.empty());
    outlet.make_early("early,");
    EXPECT_FALSE(outlet.empty());
    EXPECT_EQ(outlet.early_bytes(), 6U);
    std::vector<std::string> frames{"two", "one,"};  // the last first
    std::string memory;                              // of the one that was made last, as with nghttp2
    const auto next = [&]() -> std::string_view {
      if (frames.empty()) return {};
      memory = frames.back();
      frames.pop_back();
      return memory;
    };
    EXPECT_EQ(all_of(outlet, size, next), "early,one,two") << "in pieces of " << size;
    EXPECT_TRUE(outlet.empty());
  }
}

TEST(Http2Outlet, keeps_the_rest_of_a_frame_and_says_the_last_word_behind_it) {
  Outlet outlet;
  std::string memory = "a frame";
  std::array<char, 2> little;
  EXPECT_EQ(outlet.fill(little, [&]() -> std::string_view { return memory; }), 2U);
  outlet.keep_unsent();
  memory = "gone";
  EXPECT_EQ(outlet.early_bytes(), 5U);
  std::array<char, 100> buffer;
  bool said = false;
  const std::size_t size = outlet.fill(buffer, [&]() -> std::string_view {
    if (!std::exchange(said, true)) outlet.make_early("; goodbye");
    return {};
  });
  EXPECT_EQ(std::string(buffer.data(), size), "frame; goodbye") << "what fails while it is made is told at once";
  EXPECT_TRUE(outlet.empty());
}

TEST(Http2Outlet, has_room_for_a_body_only_where_it_is_worth_a_frame) {
  Outlet outlet;
  EXPECT_TRUE(outlet.body_room(10).empty()) << "nobody has offered a buffer";
  std::vector<char> buffer(3000);
  int bodies = 0;
  const std::size_t size = outlet.fill(buffer, [&]() -> std::string_view {
    if (++bodies == 2) return {};
    const auto room = outlet.body_room(1500);
    EXPECT_EQ(room.size(), 1500U);
    EXPECT_EQ(room.data(), buffer.data() + frame_head_size) << "straight into the buffer";
    std::memset(room.data(), 'b', room.size());
    const std::array<std::uint8_t, frame_head_size> head{'h', 'h', 'h', 'h', 'h', 'h', 'h', 'h', 'h'};
    outlet.put_body_head(head.data(), room.size());
    EXPECT_EQ(outlet.body_room(1500).size(), 3000 - 2 * frame_head_size - 1500);
    return "behind it";
  });
  EXPECT_EQ(bodies, 2);
  EXPECT_EQ(std::string(buffer.data(), size), std::string(frame_head_size, 'h') + std::string(1500, 'b') + "behind it");
}

}  // namespace
}  // namespace trunkline::http2
