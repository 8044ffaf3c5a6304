#include "services/run/absent.h"

#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "services/run/configuration.h"

namespace trunkline::run {
namespace {

std::vector<std::string> absent_of(const TestFolder& folder, const std::string& text) {
  const auto all = parse_configuration(text, folder.path("trunkline.yaml"), Surroundings());
  EXPECT_TRUE(all) << all.error().message;
  return all ? absent_files(*all) : std::vector<std::string>();
}

constexpr const char* fleet =
    "  fleets:\n  - policy: {name: a, metrics: [{name: m, target: {perPod: 1}}], bounds: {max: 2}}\n"
    "    target: {process: {command: [x], ports: 20000-20009, log: logs/of/a}}\n";

TEST(Absent, names_what_is_not_there_to_be_read) {
  const TestFolder folder;
  folder.write("here", "");
  const auto found = absent_of(folder,
                               "scrape: {jobs: [{name: a, targets: [], tls: {ca_file: here}},"
                               " {name: b, file: gone.json, bearer_token_file: gone, tls: {ca_file: here}}]}");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0],
            "scrape.jobs[1].file: " + folder.path("gone.json") + " cannot be read now: No such file or directory");
  EXPECT_TRUE(found[1].starts_with("scrape.jobs[1].bearer_token_file: ")) << found[1];
}

TEST(Absent, names_what_could_not_be_written_and_not_what_is_made_when_it_is_needed) {
  const TestFolder folder;
  EXPECT_EQ(absent_of(folder, std::string("autoscale:\n  state: s.json\n  record: ${fleet}.jsonl\n") + fleet).size(),
            0U);
  EXPECT_EQ(absent_of(folder, std::string("autoscale:\n  record: ${fleet}/r.jsonl\n") + fleet).size(), 0U)
      << "nobody knows that folder";
  const auto found = absent_of(folder, std::string("autoscale:\n  state: gone/s.json\n") + fleet);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], "autoscale.state: " + folder.path("gone") + " cannot be written now: No such file or directory");
}

}  // namespace
}  // namespace trunkline::run
