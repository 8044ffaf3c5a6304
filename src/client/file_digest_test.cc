#include "client/file_digest.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "base/test_folder.h"

namespace trunkline {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr auto at_once = std::chrono::nanoseconds(0);  // trusts every file, however young
constexpr auto never_settled = std::chrono::hours(1);

class FileDigestTest : public testing::Test, protected TestFolder {
 protected:
  static Sha256::Digest digest(FileDigests& digests, const std::string& file) {
    auto result = digests.file("tls.ca_file", file);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? *result : Sha256::Digest{};
  }
  static Sha256::Digest directory_digest(FileDigests& digests, const std::string& directory) {
    auto result = digests.certificate_directory("tls.ca_directory", directory);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? *result : Sha256::Digest{};
  }
};

TEST_F(FileDigestTest, is_that_of_the_content_and_not_of_the_path) {
  FileDigests digests(at_once);
  EXPECT_EQ(digest(digests, write("a", "one")), sha256("one"));
  EXPECT_EQ(digest(digests, write("b", "one")), sha256("one"));
  EXPECT_EQ(digest(digests, write("empty", "")), sha256(""));
  const std::string large(300'000, 'x');
  EXPECT_EQ(digest(digests, write("large", large)), sha256(large));
}

TEST_F(FileDigestTest, reads_an_unchanged_file_once) {
  FileDigests digests(at_once);
  const std::string file = write("a", "one");
  for (int i = 0; i < 100; ++i) digest(digests, file);
  EXPECT_EQ(digests.files_read(), 1U);
}

TEST_F(FileDigestTest, reads_a_file_again_that_was_written_in_place_or_replaced) {
  FileDigests digests(at_once);
  const std::string file = write("a", "one");
  digest(digests, file);
  std::this_thread::sleep_for(milliseconds(20));  // more than a tick of the file system's clock
  write("a", "two");
  EXPECT_EQ(digest(digests, file), sha256("two"));
  fs::rename(write("b", "six"), file);
  EXPECT_EQ(digest(digests, file), sha256("six"));
}

TEST_F(FileDigestTest, follows_a_link_that_is_turned_to_another_file) {
  FileDigests digests(at_once);
  write("old", "one");
  write("new", "two");
  fs::create_symlink("old", path("link"));
  EXPECT_EQ(digest(digests, path("link")), sha256("one"));
  fs::create_symlink("new", path("next"));
  fs::rename(path("next"), path("link"));
  EXPECT_EQ(digest(digests, path("link")), sha256("two"));
}

TEST_F(FileDigestTest, notices_a_change_behind_a_restored_modification_time) {
  FileDigests digests(at_once);
  const std::string file = write("a", "one");
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  digest(digests, file);
  std::this_thread::sleep_for(milliseconds(20));
  write("a", "two");
  const timespec times[2] = {status.st_atim, status.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  EXPECT_EQ(digest(digests, file), sha256("two"));
}

TEST_F(FileDigestTest, does_not_trust_a_file_that_was_written_just_before_it_was_read) {
  FileDigests digests(never_settled);
  const std::string file = write("a", "one");
  digest(digests, file);
  digest(digests, file);
  EXPECT_EQ(digests.files_read(), 2U);
}

TEST_F(FileDigestTest, trusts_a_file_once_it_has_been_left_alone) {
  FileDigests digests(milliseconds(300));
  const std::string file = write("a", "one");
  digest(digests, file);
  std::this_thread::sleep_for(milliseconds(400));
  digest(digests, file);
  const std::uint64_t read = digests.files_read();
  for (int i = 0; i < 10; ++i) digest(digests, file);
  EXPECT_EQ(digests.files_read(), read);
}

TEST_F(FileDigestTest, stays_bounded_however_many_files_it_is_asked_for) {
  FileDigests digests(at_once, 4);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(digest(digests, write("f" + std::to_string(i), "x")), sha256("x"));
  digest(digests, path("f19"));
  EXPECT_EQ(digests.files_read(), 20U);
  digest(digests, path("f0"));
  EXPECT_EQ(digests.files_read(), 21U);
}

TEST_F(FileDigestTest, errors_name_the_setting_and_the_path) {
  FileDigests digests(at_once);
  const auto failure = [&](const std::string& file) {
    auto result = digests.file("tls.key_file", file);
    EXPECT_FALSE(result) << file;
    if (result) return std::string();
    EXPECT_EQ(result.error().code, ErrorCode::invalid_options);
    EXPECT_EQ(result.error().phase, Phase::prepare);
    return result.error().message;
  };
  const std::string missing = path("missing.pem");
  EXPECT_EQ(failure(missing), "tls.key_file: cannot read \"" + missing + "\": No such file or directory");
  EXPECT_NE(failure(folder()).find("it is not a regular file"), std::string::npos);
  EXPECT_NE(failure(write("a", "one") + std::string("\0.pem", 5)).find("a NUL"), std::string::npos);
}

TEST_F(FileDigestTest, does_not_hang_on_a_fifo_nor_swallow_a_huge_file) {
  FileDigests digests(at_once);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  auto fifo = digests.file("tls.ca_file", path("fifo"));
  ASSERT_FALSE(fifo);
  EXPECT_NE(fifo.error().message.find("not a regular file"), std::string::npos);
  fs::resize_file(write("huge", ""), 1ULL << 40);
  auto huge = digests.file("tls.ca_file", path("huge"));
  ASSERT_FALSE(huge);
  EXPECT_NE(huge.error().message.find("larger than 16MiB"), std::string::npos);
}

TEST_F(FileDigestTest, of_a_directory_covers_names_and_contents_of_hashed_files_only) {
  FileDigests digests(never_settled);
  fs::create_directories(path("x"));
  fs::create_directories(path("y"));
  write("x/0123abcd.0", "one");
  write("y/0123abcd.0", "one");
  const auto first = directory_digest(digests, path("x"));
  EXPECT_EQ(directory_digest(digests, path("y")), first);
  write("x/README", "not looked at by OpenSSL");
  EXPECT_EQ(directory_digest(digests, path("x")), first);
  write("y/0123abcd.1", "two");
  const auto second = directory_digest(digests, path("y"));
  EXPECT_NE(second, first);
  fs::rename(path("y/0123abcd.1"), path("y/0123abce.0"));
  EXPECT_NE(directory_digest(digests, path("y")), second);
  fs::create_symlink("gone.pem", path("x/99999999.0"));
  EXPECT_EQ(directory_digest(digests, path("x")), first) << "a dangling link holds nothing";
}

TEST_F(FileDigestTest, of_a_directory_notices_a_file_that_was_rewritten_in_place) {
  FileDigests digests(at_once);
  fs::create_directories(path("x"));
  write("x/0123abcd.0", "one");
  const auto before = directory_digest(digests, path("x"));
  std::this_thread::sleep_for(milliseconds(20));
  write("x/0123abcd.0", "two");  // which does not change the directory's own times
  EXPECT_NE(directory_digest(digests, path("x")), before);
}

TEST_F(FileDigestTest, of_a_directory_without_hashed_names_says_what_to_do) {
  FileDigests digests(at_once);
  write("plain.pem", "one");
  auto result = digests.certificate_directory("tls.ca_directory", folder());
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("openssl rehash"), std::string::npos);
  auto missing = digests.certificate_directory("tls.ca_directory", path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("missing\": No such file"), std::string::npos);
}

TEST_F(FileDigestTest, reads_a_directory_as_one_text_with_a_line_feed_after_each_file) {
  write("0123abcd.0", "one");
  write("0123abcd.1", "two\n");
  write("other.pem", "three");
  auto all = read_certificate_directory("tls.ca_directory", folder());
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, "one\ntwo\n\n");
}

TEST_F(FileDigestTest, may_be_asked_by_many_threads) {
  FileDigests digests(at_once, 3);
  const std::string one = write("one", "one");
  const std::string two = write("two", "two");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(digest(digests, one), sha256("one"));
        EXPECT_EQ(digest(digests, two), sha256("two"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace trunkline
