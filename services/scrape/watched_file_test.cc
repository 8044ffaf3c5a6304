#include "services/scrape/watched_file.h"

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace trunkline::scrape {
namespace {

class WatchedFileTest : public ::testing::Test, protected TestFolder {
 protected:
  std::string write(const std::string& text) const { return replace("file", text); }
};

TEST_F(WatchedFileTest, is_read_when_it_changes_and_only_then) {
  WatchedFile file(write("one"), 10);
  EXPECT_TRUE(file.refresh());
  EXPECT_EQ(*file.text(), "one");
  EXPECT_FALSE(file.refresh());
  write("two");
  EXPECT_TRUE(file.refresh());
  EXPECT_EQ(*file.text(), "two");
}

// What kept it from being read may pass without a change of the file.
TEST_F(WatchedFileTest, is_read_again_after_a_failure) {
  WatchedFile file(write("more than ten bytes"), 10);
  EXPECT_TRUE(file.refresh());
  EXPECT_FALSE(file.text());
  EXPECT_TRUE(file.refresh());
  write("less");
  EXPECT_TRUE(file.refresh());
  EXPECT_EQ(*file.text(), "less");
  EXPECT_FALSE(file.refresh());
}

}  // namespace
}  // namespace trunkline::scrape
