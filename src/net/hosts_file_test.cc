#include "net/hosts_file.h"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <cstdlib>

#include <filesystem>
#include <fstream>

namespace trunkline::net {
namespace hosts_file_test {

std::string text(const std::vector<Address>& addresses) {
  std::string out;
  for (const Address& address : addresses) out += (out.empty() ? "" : " ") + address.text();
  return out;
}

TEST(HostsFile, finds_all_addresses_of_a_name) {
  constexpr std::string_view hosts =
      "# a comment with name.test\n"
      "127.0.0.1\tlocalhost\n"
      "192.0.2.1   name.test alias\t # name.other\r\n"
      "\n"
      "  2001:db8::1 Name.Test\n"
      "192.0.2.1 name.test\n"
      "nonsense name.test\n"
      "192.0.2.9\n"
      "192.0.2.2 last.test.";
  EXPECT_EQ(text(find_in_hosts(hosts, "name.test")), "192.0.2.1:0 [2001:db8::1]:0");
  EXPECT_EQ(text(find_in_hosts(hosts, "NAME.TEST.")), "192.0.2.1:0 [2001:db8::1]:0");
  EXPECT_EQ(text(find_in_hosts(hosts, "alias")), "192.0.2.1:0");
  EXPECT_EQ(text(find_in_hosts(hosts, "last.test")), "192.0.2.2:0");
  for (const char* name : {"name.other", "name", "test", "192.0.2.1", "#"}) {
    EXPECT_EQ(text(find_in_hosts(hosts, name)), "") << name;
  }
  EXPECT_EQ(text(find_in_hosts("", "name.test")), "");
}

TEST(HostsFile, is_read_again_when_it_has_changed) {
  std::string folder = std::filesystem::temp_directory_path() / "trunkline-hosts-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/hosts";
  HostsFile file;
  EXPECT_EQ(text(file.find(path, "a.test")), "");
  std::ofstream(path) << "192.0.2.1 a.test\n";
  EXPECT_EQ(text(file.find(path, "a.test")), "192.0.2.1:0");
  std::ofstream(path) << "192.0.2.22 a.test\n";
  EXPECT_EQ(text(file.find(path, "a.test")), "192.0.2.22:0");
  std::filesystem::remove(path);
  EXPECT_EQ(text(file.find(path, "a.test")), "");
  std::filesystem::remove_all(folder);
}

TEST(HostsFile, that_cannot_be_opened_for_a_moment_is_not_taken_for_empty) {
  std::string folder = std::filesystem::temp_directory_path() / "trunkline-hosts-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/hosts";
  HostsFile file;
  std::ofstream(path) << "192.0.2.1 a.test\n";
  EXPECT_EQ(text(file.find(path, "a.test")), "192.0.2.1:0");
  std::ofstream(path) << "192.0.2.22 a.test\n";
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(text(file.find(path, "a.test")), "192.0.2.1:0") << "as it was";
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(text(file.find(path, "a.test")), "192.0.2.22:0");
  std::filesystem::remove_all(folder);
}

}  // namespace hosts_file_test
}  // namespace trunkline::net
