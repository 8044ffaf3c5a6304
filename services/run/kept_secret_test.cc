#include "services/run/kept_secret.h"

#include <gtest/gtest.h>

namespace trunkline::run {
namespace {

TEST(KeptSecret, knows_its_own_text_and_no_other) {
  const KeptSecret kept("t0ken");
  EXPECT_TRUE(kept.matches("t0ken"));
  for (const char* guess : {"", "t0ke", "t0kenn", "T0ken"}) EXPECT_FALSE(kept.matches(guess)) << guess;
}

TEST(KeptSecret, of_nothing_is_none_and_matches_nothing) {
  for (const KeptSecret& none : {KeptSecret(), KeptSecret(""), KeptSecret::login("ann", "")}) {
    EXPECT_TRUE(none.empty());
    EXPECT_FALSE(none.matches(""));
  }
}

TEST(KeptSecret, of_a_login_is_what_http_basic_sends) {
  const KeptSecret kept = KeptSecret::login("ann", "s3cret:with colon");
  EXPECT_TRUE(kept.matches("YW5uOnMzY3JldDp3aXRoIGNvbG9u"));
  EXPECT_FALSE(kept.matches("ann:s3cret:with colon"));
}

TEST(KeptSecret, compares) {
  EXPECT_EQ(KeptSecret("a"), KeptSecret("a"));
  EXPECT_NE(KeptSecret("a"), KeptSecret("b"));
  EXPECT_NE(KeptSecret("a"), KeptSecret());
}

TEST(KeptSecret, is_in_memory_neither_as_text_nor_as_a_digest_that_a_table_has) {
  const std::string text = "hunter2";
  const KeptSecret kept(text);
  const std::string_view bytes(reinterpret_cast<const char*>(&kept), sizeof kept);
  EXPECT_EQ(bytes.find(text), std::string_view::npos);
  const Sha256::Digest plain = sha256(text);
  EXPECT_EQ(bytes.find({reinterpret_cast<const char*>(plain.data()), plain.size()}), std::string_view::npos);
}

TEST(KeptSecret, leaves_nothing_of_what_is_wiped) {
  std::string text(40, 'x');
  const std::string_view before = text;
  wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(before.find('x'), std::string_view::npos);
}

}  // namespace
}  // namespace trunkline::run
