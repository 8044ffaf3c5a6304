#include "services/scrape/target_file.h"

#include <gtest/gtest.h>

namespace trunkline::scrape {
namespace target_file_test {

const std::shared_ptr<const Job> job = std::make_shared<Job>();

TEST(ScrapeTargetFile, reads_the_same_list_from_json_and_yaml) {
  const auto json = parse_targets(R"([{"targets": ["a:1", "b:1"], "labels": {"app": "x"}}, {"targets": ["c:1"]}])",
                                  FileFormat::json, job);
  const auto yaml =
      parse_targets("- targets: ['a:1', 'b:1']\n  labels:\n    app: x\n- targets:\n  - c:1\n", FileFormat::yaml, job);
  for (const auto* list : {&json, &yaml}) {
    ASSERT_TRUE(*list) << list->error().message;
    ASSERT_EQ((*list)->size(), 3U);
    EXPECT_EQ((**list)[1]->url, "http://b:1/metrics");
    EXPECT_EQ((**list)[1]->labels, (Labels{{"app", "x"}}));
    EXPECT_TRUE((**list)[2]->labels.empty());
  }
}

TEST(ScrapeTargetFile, takes_an_empty_list_as_nothing_to_scrape) {
  EXPECT_TRUE(parse_targets("[]", FileFormat::json, job)->empty());
  EXPECT_TRUE(parse_targets("[]", FileFormat::yaml, job)->empty());
}

TEST(ScrapeTargetFile, refuses_a_whole_list_for_one_mistake_and_says_where) {
  for (const std::string_view text : {"", "{}", "[1]", R"([{"targets": "a:1"}])", R"([{"targets": [1]}])", "[{}]",
                                      R"([{"targets": ["a:1"], "labels": {"x": 1}}])", R"([{"targets": ["a:1"])",
                                      R"([{"targets": ["a:1", "a:1/x"]}])"}) {
    EXPECT_FALSE(parse_targets(text, FileFormat::json, job)) << text;
  }
  for (const std::string_view text : {"", "a: b", "- 1", "- targets: a", "- labels: {a: b}", "- targets: [[a]]",
                                      "- targets: ['a:1'\n- x", "- targets: [a]\n  labels: [b]"}) {
    EXPECT_FALSE(parse_targets(text, FileFormat::yaml, job)) << text;
  }
  const auto second = parse_targets(R"([{"targets": []}, {"targets": ["ftp://a/"]}])", FileFormat::json, job);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("group 2"), std::string::npos) << second.error().message;
}

TEST(ScrapeTargetFile, bounds_what_aliases_can_multiply) {
  std::string text = "- &g\n  targets: [a:1";
  for (int i = 0; i < 999; ++i) text += ", a:1";
  text += "]\n";
  for (int i = 0; i < 101; ++i) text += "- *g\n";
  const auto many = parse_targets(text, FileFormat::yaml, job);
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().message.find("100,000"), std::string::npos);
}

TEST(ScrapeTargetFile, bounds_the_labels_that_targets_share) {
  std::string text = R"([{"labels": {"a": ")" + std::string(1 << 20, 'x') + R"("}, "targets": ["a:1")";
  for (int i = 0; i < 300; ++i) text += R"(, "a:1")";
  const auto many = parse_targets(text + "]}]", FileFormat::json, job);
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().message.find("larger than 256 MiB"), std::string::npos) << many.error().message;
}

TEST(ScrapeTargetFile, knows_the_format_by_the_ending) {
  EXPECT_EQ(*file_format("a/b.json"), FileFormat::json);
  EXPECT_EQ(*file_format("b.yml"), FileFormat::yaml);
  EXPECT_EQ(*file_format("b.yaml"), FileFormat::yaml);
  EXPECT_FALSE(file_format("b.txt"));
}

}  // namespace target_file_test
}  // namespace trunkline::scrape
