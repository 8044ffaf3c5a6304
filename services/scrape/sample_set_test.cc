#include "services/scrape/sample_set.h"

#include <gtest/gtest.h>

#include <cmath>

#include "metrics/exposition_parser.h"

namespace trunkline::scrape {
namespace {

TEST(ScrapeSampleSet, keeps_what_the_parser_told) {
  SampleCollector collector(1 << 20);
  const std::string_view body =
      "# TYPE h histogram\nh_bucket{le=\"1\",x=\"a\\\"b\"} 2\nh_bucket{le=\"+Inf\",x=\"\"} 3\nh_count 3 1500\nh_sum "
      "NaN\n";
  ASSERT_TRUE(metrics::parse_exposition(body, metrics::Format::text, collector));
  EXPECT_EQ(collector.problem(), "");
  const SampleSet set = collector.take();
  ASSERT_EQ(set.size(), 4U);
  EXPECT_EQ(set.name(0), "h_bucket");
  EXPECT_EQ(set.family(0), "h");
  EXPECT_EQ(set.type(0), metrics::Type::histogram);
  ASSERT_EQ(set.label_count(0), 2U);
  EXPECT_EQ(set.label(0, 0).name, "le");
  EXPECT_EQ(set.label(0, 1).value, "a\"b");
  EXPECT_FALSE(set.timestamp(0));
  EXPECT_EQ(set.value(1), 3);
  EXPECT_EQ(set.label(1, 0).value, "+Inf");
  EXPECT_EQ(set.timestamp(2), 1.5);
  EXPECT_TRUE(std::isnan(set.value(3)));
  EXPECT_EQ(set.find("h_bucket", "le", "+Inf"), 3);
  EXPECT_FALSE(set.find("h_bucket", "le", "2"));
  EXPECT_FALSE(set.find("h"));
}

TEST(ScrapeSampleSet, says_where_the_first_problem_stands) {
  SampleCollector collector(1 << 20);
  ASSERT_TRUE(metrics::parse_exposition("a 1\nb{ 2\nc{ 3\n", metrics::Format::text, collector));
  EXPECT_EQ(collector.problem().find("line 2, column "), 0U) << collector.problem();
}

TEST(ScrapeSampleSet, stops_at_the_memory_that_it_may_take) {
  SampleCollector collector(1000);
  std::string body;
  for (int i = 0; i < 100; ++i) body += "a{x=\"" + std::to_string(i) + "\"} 1\n";
  ASSERT_TRUE(metrics::parse_exposition(body, metrics::Format::text, collector));
  EXPECT_TRUE(collector.too_many());
  EXPECT_LT(collector.take().memory_bytes(), 4000U);
}

}  // namespace
}  // namespace trunkline::scrape
