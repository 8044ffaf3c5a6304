#include "metrics/exposition_rules.h"

#include <gtest/gtest.h>

#include "metrics/transcript.h"

namespace trunkline::metrics {
namespace {

// The problems alone, one a line.
std::string problems(std::string_view body, Format format) {
  Transcript told(format);
  ExpositionRules rules(format, told);
  const auto counts = parse_exposition(body, format, rules);
  rules.finish();
  EXPECT_TRUE(counts);
  std::string out;
  std::uint64_t count = 0;
  for (std::size_t at = 0; (at = told.text.find("problem ", at)) != std::string::npos; ++count) {
    const std::size_t end = told.text.find('\n', at) + 1;
    out += told.text.substr(at, end - at);
    at = end;
  }
  EXPECT_EQ(count, rules.problems() + counts->problems);
  return out;
}

TEST(ExpositionRules, have_nothing_to_say_about_what_is_right) {
  EXPECT_EQ(problems("# TYPE h histogram\nh_bucket{le=\"5\"} 1\nh_bucket{le=\"1\"} 0\nh_sum 1\na 1 1\na 1 2\n"
                     "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum -1\n# TYPE c counter\nc -1\n",
                     Format::text),
            "");
  EXPECT_EQ(
      problems("# TYPE h histogram\nh_bucket{x=\"1\",le=\"1\"} 0\nh_bucket{x=\"1\",le=\"+Inf\"} 2\nh_count{x=\"1\"} 2\n"
               "h_bucket{x=\"2\",le=\"+Inf\"} 1\n# TYPE i info\ni_info 1\n# TYPE s stateset\ns{s=\"a\"} 0\n"
               "s{s=\"b\"} 1\n# TYPE c counter\nc_total 1\nc_created 5\n# EOF\n",
               Format::openmetrics),
      "");
}

TEST(ExpositionRules, tell_of_a_hundred_problems_and_count_the_others) {
  std::string body;
  for (int i = 0; i < 150; ++i) body += "a 1\n";
  Transcript told(Format::text);
  ExpositionRules rules(Format::text, told);
  ASSERT_TRUE(parse_exposition(body, Format::text, rules));
  rules.finish();
  EXPECT_EQ(rules.problems(), 149u);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = told.text.find("problem ", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 100u);
}

TEST(ExpositionRules, a_series_is_told_once) {
  const std::string twice = "problem 2:1 this series is there twice: its labels must tell it apart\n";
  EXPECT_EQ(problems("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n", Format::text), twice);
  EXPECT_EQ(problems("a{x=\"1\",y=\"2\"} 1\na{x=\"2\",y=\"1\"} 1\n", Format::text), "");
  EXPECT_EQ(problems("a 1\na{x=\"x\"} 1\n", Format::text), "") << "a name as its own value";
  EXPECT_EQ(problems("a{x=\"y\"} 1\na{y=\"x\"} 1\n", Format::text), "") << "a name and a value that change places";
}

TEST(ExpositionRules, buckets_have_bounds_that_are_numbers) {
  EXPECT_EQ(problems("# TYPE h histogram\nh_bucket 1\nh_bucket{le=\"x\"} 1\n", Format::text),
            "problem 2:1 a bucket needs the label le, its upper bound\n"
            "problem 3:1 the bucket's bound le=\"x\" is not a number\n");
}

TEST(ExpositionRules, openmetrics_buckets_grow_and_end_with_infinity) {
  EXPECT_EQ(problems("# TYPE h histogram\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"1\"} 2\nh_count 3\n# EOF\n",
                     Format::openmetrics),
            "problem 3:1 buckets must come with growing bounds\n"
            "problem 3:1 a bucket counts less than the one before: buckets are cumulative\n"
            "problem 3:1 the last bucket must be le=\"+Inf\"\n");
  EXPECT_EQ(problems("# TYPE h histogram\nh_bucket{le=\"2\"} 3\n# EOF\n", Format::openmetrics),
            "problem 2:1 the last bucket must be le=\"+Inf\"\n");
}

TEST(ExpositionRules, quantiles_are_numbers) {
  EXPECT_EQ(problems("# TYPE s summary\ns{quantile=\"x\"} 1\n", Format::text),
            "problem 2:1 quantile=\"x\" is not a number from 0 to 1\n");
  EXPECT_EQ(problems("# TYPE s summary\ns{quantile=\"1.5\"} 1\ns 1\n# EOF\n", Format::openmetrics),
            "problem 2:1 quantile=\"1.5\" is not a number from 0 to 1\n"
            "problem 3:1 a summary's sample needs the label quantile\n");
}

TEST(ExpositionRules, openmetrics_values_fit_their_type) {
  EXPECT_EQ(problems("# TYPE c counter\nc_total -1\n# TYPE d counter\nd_total NaN\n# TYPE i info\ni_info 2\n"
                     "# TYPE s stateset\ns{s=\"a\"} 0.5\ns 1\n# EOF\n",
                     Format::openmetrics),
            "problem 2:1 what counts cannot be negative, nor NaN\nproblem 4:1 what counts cannot be negative, nor NaN\n"
            "problem 6:1 the value of an info is always 1\nproblem 8:1 a state is 0 or 1\n"
            "problem 9:1 a state needs a label with the family's name\n");
}

}  // namespace
}  // namespace trunkline::metrics
