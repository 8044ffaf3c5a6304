#include "services/doctor/processes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace trunkline::doctor {
namespace {

namespace fs = std::filesystem;

// A /proc of our own making.
class DoctorProcesses : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("proc_" + std::to_string(getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void add(int pid, int parent, const std::string& name, const std::string& arguments, int first_inode, int sockets) {
    const fs::path folder = root_ / std::to_string(pid);
    fs::create_directories(folder / "fd");
    std::ofstream(folder / "stat") << pid << " (" << name << ") S " << parent << " 1 1 0";
    std::ofstream(folder / "cmdline") << arguments;
    fs::create_symlink("/dev/null", folder / "fd" / "0");
    for (int i = 0; i < sockets; ++i) {
      fs::create_symlink("socket:[" + std::to_string(first_inode + i) + "]", folder / "fd" / std::to_string(i + 1));
    }
  }

  fs::path root_;
};

TEST(DoctorProcess, names_may_hold_anything) {
  const auto process = parse_stat("12 (a) S 7 (b) S 34 12 12 0");
  ASSERT_TRUE(process);
  EXPECT_EQ(process->pid, 12);
  EXPECT_EQ(process->name, "a) S 7 (b");
  EXPECT_EQ(process->parent, 34);
  EXPECT_EQ(parse_stat("12 (\x1b[2J) S 34 1")->name, "\\x1b[2J");
  for (const char* text : {"", "12", "12 (a", "12 (a) S", "x (a) S 1 1", "(a) S 1 1 1"})
    EXPECT_FALSE(parse_stat(text)) << text;
}

TEST(DoctorProcess, shows_a_script_but_no_argument) {
  using namespace std::string_literals;
  EXPECT_EQ(script_of("python3.11", "python3\0/srv/churn.py\0--password\0x\0"s), "churn.py");
  EXPECT_EQ(script_of("bash", "bash\0-c\0curl -u me:secret http://x\0"s), "");
  EXPECT_EQ(script_of("curl", "curl\0http://me:secret@x/\0"s), "");
  EXPECT_EQ(script_of("shutdown", "shutdown\0now\0"s), "");
  EXPECT_EQ(script_of("sh", "sh\0"s), "");
}

TEST(DoctorProcess, knows_a_socket_from_other_descriptors) {
  EXPECT_EQ(socket_inode("socket:[48213]"), 48213U);
  for (const char* link : {"pipe:[48213]", "socket:[]", "socket:[x]", "socket:[12", "/dev/null"}) {
    EXPECT_FALSE(socket_inode(link)) << link;
  }
}

TEST_F(DoctorProcesses, finds_the_owner_of_every_socket) {
  add(10, 1, "web", "", 100, 3);
  add(11, 10, "curl", "", 200, 2);
  ProcessTable table(root_.string());
  const auto scan = table.scan(1000);
  EXPECT_EQ(scan.owners, (Owners{{100, 10}, {101, 10}, {102, 10}, {200, 11}, {201, 11}}));
  EXPECT_EQ(scan.descriptors, 7U);
  EXPECT_FALSE(scan.cut);
  EXPECT_EQ(table.scan(1000, 11).owners.size(), 2U);
}

TEST_F(DoctorProcesses, looks_at_no_more_descriptors_than_it_may) {
  add(10, 1, "web", "", 100, 50);
  const auto scan = ProcessTable(root_.string()).scan(20);
  EXPECT_TRUE(scan.cut);
  EXPECT_LE(scan.owners.size(), 20U);
}

TEST_F(DoctorProcesses, searches_everybody_in_turn_when_one_search_may_not) {
  for (int pid = 10; pid < 110; ++pid) add(pid, 1, "idle", "", pid == 70 ? 7 : pid * 100, 1);
  ProcessTable table(root_.string());
  int searches = 0;
  bool found = false;
  while (!found && ++searches < 20) found = !table.find({7}, 80).owners.empty();
  EXPECT_TRUE(found);
  EXPECT_GT(searches, 1);
  EXPECT_EQ(table.find({7}, 5).owners.size(), 1U) << "whoever owned the last one comes first";
}

TEST_F(DoctorProcesses, remembers_who_has_ended) {
  add(10, 1, "bash", std::string("bash\0/x/loop.sh\0", 16), 100, 0);
  add(11, 10, "curl", "", 200, 1);
  ProcessTable table(root_.string());
  EXPECT_EQ(table.find({200}, 100).owners.size(), 1U);
  fs::remove_all(root_ / "11");
  const Process* curl = table.describe(11);
  ASSERT_NE(curl, nullptr);
  EXPECT_EQ(curl->name, "curl");
  EXPECT_EQ(curl->parent, 10);
  EXPECT_EQ(curl->parent_name, "bash loop.sh");
  EXPECT_EQ(table.describe(12), nullptr);
}

}  // namespace
}  // namespace trunkline::doctor
