#include "support/namespace.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "support/process.h"

namespace trunkline::test {
namespace {

constexpr const char* marker = "TRUNKLINE_TEST_NAMESPACE";

std::vector<std::string> unshare(bool mounts) {
  std::vector<std::string> command{"unshare", "--net"};
  if (mounts) command.emplace_back("--mount");
  if (geteuid() != 0) command.emplace_back("--map-root-user");
  return command;
}

}  // namespace

bool inside_namespace(const std::string& prepare, bool mounts) {
  if (std::getenv(marker) != nullptr) return true;
  std::vector<std::string> trial = unshare(mounts);
  trial.insert(trial.end(), {"sh", "-c", "ip link set lo up && (" + prepare + ")"});
  if (Process(trial).wait() != 0) {
    [] { GTEST_SKIP() << "this machine permits no namespaces, or not all settings inside one"; }();
    return false;
  }
  const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::vector<std::string> command = unshare(mounts);
  command.insert(command.end(), {"sh", "-c", "ip link set lo up && (" + prepare + ") >/dev/null && exec \"$0\" \"$@\"",
                                 std::filesystem::read_symlink("/proc/self/exe").string(),
                                 std::string("--gtest_filter=") + test->test_suite_name() + "." + test->name(),
                                 "--gtest_also_run_disabled_tests"});
  std::string inside = marker;
  inside.push_back('=');  // g++ 12 sees an overflow that isn't there in `+ "=1"`
  inside.push_back('1');
  const std::vector<std::string> environment(1, inside);
  Process child(command, environment);
  std::string output;
  const int code = child.wait(&output);
  EXPECT_EQ(code, 0) << output;
  return false;
}

}  // namespace trunkline::test
