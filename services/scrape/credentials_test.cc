#include "services/scrape/credentials.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_folder.h"

namespace trunkline::scrape {
namespace {

class CredentialsTest : public ::testing::Test, protected TestFolder {
 protected:
  std::string write(const std::string& text) const { return replace("secret", text); }
};

TEST_F(CredentialsTest, says_nothing_where_nothing_is_given) { EXPECT_EQ(*Credentials(Job()).authorization(), ""); }

TEST_F(CredentialsTest, makes_basic_authentication_of_name_and_password) {
  Job job;
  job.basic_user = "Aladdin";
  job.basic_password = "open sesame";
  EXPECT_EQ(*Credentials(job).authorization(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617
  job.basic_password.clear();
  job.basic_password_file = write("open sesame\n");
  EXPECT_EQ(*Credentials(job).authorization(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_F(CredentialsTest, reads_a_token_again_when_its_file_changes) {
  Job job;
  job.bearer_token_file = write("one\n");
  Credentials credentials(job);
  EXPECT_EQ(*credentials.authorization(), "Bearer one");
  write("two");
  credentials.refresh();
  EXPECT_EQ(*credentials.authorization(), "Bearer two");
}

TEST_F(CredentialsTest, stops_rather_than_asks_without_a_token_and_goes_on_when_it_is_back) {
  Job job;
  job.bearer_token_file = write("one");
  Credentials credentials(job);
  std::filesystem::remove(job.bearer_token_file);
  credentials.refresh();
  ASSERT_FALSE(credentials.authorization());
  EXPECT_NE(credentials.authorization().error().message.find("secret"), std::string::npos);  // the file's name
  write("two");
  credentials.refresh();
  EXPECT_EQ(*credentials.authorization(), "Bearer two");
}

TEST_F(CredentialsTest, refuses_a_token_that_would_break_the_header_without_showing_it) {
  for (const std::string& token : {std::string("hush\r\nX: y"), std::string("hush hush"), std::string()}) {
    Job job;
    job.bearer_token_file = write(token);
    const Credentials credentials(job);
    ASSERT_FALSE(credentials.authorization());
    EXPECT_EQ(credentials.authorization().error().message.find("hush"), std::string::npos);
  }
}

TEST_F(CredentialsTest, reads_no_file_without_bound_and_no_folder) {
  Job job;
  job.bearer_token_file = write(std::string(70'000, 'x'));
  EXPECT_FALSE(Credentials(job).authorization());
  job.bearer_token_file = folder();
  EXPECT_FALSE(Credentials(job).authorization());
}

}  // namespace
}  // namespace trunkline::scrape
