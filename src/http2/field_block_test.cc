// A block is checked field by field, but what repeats the block before is not checked again: the same must come out.
#include "http2/field_block.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace trunkline::http2 {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// What came out, or nothing when the block was refused.
std::optional<Fields> read(FieldBlock& block, const Fields& fields, bool trailers = false) {
  block.begin(trailers);
  if (!trailers && !block.add(":status", "200")) return std::nullopt;
  for (const auto& [name, value] : fields) {
    if (!block.add(name, value)) return std::nullopt;
  }
  Fields out;
  for (const Headers::Field each : block.take()) out.emplace_back(each.name, each.value);
  return out;
}

const Fields usual{{"server", "s"},
                   {"date", "Sat, 21 Nov 2026 12:00:00 GMT"},
                   {"content-type", "application/json; charset=utf-8"},
                   {"content-length", "300"},
                   {"cache-control", "private, max-age=0, no-cache, no-store"},
                   {"x", ""}};

TEST(FieldBlock, reads_the_same_again) {
  FieldBlock block;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(read(block, usual), usual);
    EXPECT_EQ(block.content_length(), 300U);
  }
}

// Each of them after each other, with one field changed, left out, or put in anywhere.
TEST(FieldBlock, reads_what_differs_in_one_field) {
  FieldBlock block;
  for (std::size_t at = 0; at < usual.size(); ++at) {
    for (const char* value : {"1", "300", "301", "Sat, 21 Nov 2026 12:00:01 GMT"}) {
      if (usual[at].first == "content-length" && std::string(value).size() > 3) continue;
      Fields changed = usual;
      changed[at].second = value;
      EXPECT_EQ(read(block, usual), usual);
      EXPECT_EQ(read(block, changed), changed);
      EXPECT_EQ(read(block, changed), changed);
    }
    Fields fewer = usual;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at));
    EXPECT_EQ(read(block, fewer), fewer);
    Fields more = usual;
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(at), {"x-other", "value"});
    EXPECT_EQ(read(block, usual), usual);
    EXPECT_EQ(read(block, more), more);
  }
}

TEST(FieldBlock, tells_a_new_length_of_as_many_digits) {
  FieldBlock block;
  for (const char* length : {"300", "301", "302"}) {
    ASSERT_TRUE(read(block, {{"content-length", length}, {"a", "b"}}));
    EXPECT_EQ(block.content_length(), std::stoul(length));
  }
}

TEST(FieldBlock, has_no_length_of_the_block_before) {
  FieldBlock block;
  ASSERT_TRUE(read(block, {{"content-length", "300"}}));
  ASSERT_TRUE(read(block, {}));
  EXPECT_FALSE(block.content_length());
  ASSERT_TRUE(read(block, {{"x-content-name", "300"}}));
  EXPECT_FALSE(block.content_length());
}

// The second stands where the block before had its only one.
TEST(FieldBlock, refuses_a_second_length_that_repeats_the_block_before) {
  FieldBlock block;
  ASSERT_TRUE(read(block, {{"x-content-name", "300"}, {"content-length", "300"}}));
  EXPECT_FALSE(read(block, {{"content-length", "300"}, {"content-length", "300"}}));
}

TEST(FieldBlock, refuses_again_what_it_refused) {
  FieldBlock block;
  for (const auto& bad : Fields{{"Date", "Sat, 21 Nov 2026 12:00:00 GMT"},
                                {"date", std::string("Sat, 21 Nov 2026 12:00:00 GM\0", 29)},
                                {"connection", "close"},
                                {"content-length", "3x0"}}) {
    ASSERT_TRUE(read(block, usual));
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(read(block, {usual[0], bad})) << bad.first;
    EXPECT_EQ(read(block, usual), usual);
  }
}

// As long as what was sound, at its place.
TEST(FieldBlock, refuses_what_is_unsound_in_the_place_of_a_sound_field) {
  FieldBlock block;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(read(block, {{"x-connect1", "close"}, {"a", "b"}}));
    EXPECT_FALSE(read(block, {{"connection", "close"}, {"a", "b"}}));
    ASSERT_TRUE(read(block, {{"a", "b"}}));
    EXPECT_FALSE(read(block, {{"a", "\n"}}));
    EXPECT_FALSE(read(block, {{"A", "b"}}));
  }
}

TEST(FieldBlock, keeps_the_rules_of_a_head_behind_trailers) {
  FieldBlock block;
  ASSERT_TRUE(read(block, {{"content-length", "x"}}, true));  // in trailers it means nothing
  EXPECT_FALSE(read(block, {{"content-length", "x"}}));
  ASSERT_TRUE(read(block, {{"content-length", "300"}}));
  ASSERT_TRUE(read(block, {{"content-length", "300"}}, true));
  EXPECT_FALSE(block.content_length());
}

TEST(FieldBlock, takes_the_status_first_and_once) {
  FieldBlock block;
  ASSERT_TRUE(read(block, usual));
  block.begin(false);
  EXPECT_TRUE(block.add(usual[0].first, usual[0].second));
  EXPECT_FALSE(block.add(":status", "200"));
  block.begin(false);
  EXPECT_TRUE(block.add(":status", "200"));
  EXPECT_FALSE(block.add(":status", "200"));
}

}  // namespace
}  // namespace trunkline::http2
