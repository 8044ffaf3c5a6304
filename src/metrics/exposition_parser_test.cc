#include "metrics/exposition_parser.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "metrics/transcript.h"

namespace trunkline::metrics {
namespace {

std::string text(std::string_view body) { return transcript(body, Format::text); }
std::string openmetrics(std::string_view body) { return transcript(body, Format::openmetrics); }

// The first teaches: a body goes in, and what was told comes out line by line (see transcript.h).
TEST(ExpositionText, tells_families_and_their_samples) {
  EXPECT_EQ(text("# HELP http_requests_total All of them.\n"
                 "# TYPE http_requests_total counter\n"
                 "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
                 "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363500\n"
                 "\n"
                 "# a comment\n"
                 "metric_without_metadata 12.47\n"),
            "family http_requests_total counter \"All of them.\" \"\"\n"
            "http_requests_total{method=\"post\",code=\"200\"} 1027 @1395066363\n"
            "http_requests_total{method=\"post\",code=\"400\"} 3 @1395066363.5\n"
            "family metric_without_metadata untyped \"\" \"\"\n"
            "metric_without_metadata 12.47\n");
}

TEST(ExpositionText, counts_buckets_sums_and_counts_to_their_family) {
  EXPECT_EQ(text("# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\na_total 1\n"
                 "# TYPE b summary\nb{quantile=\"0.5\"} 1\nb_sum 1\nb_bucket 1\n"),
            "family a histogram \"\" \"\"\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n"
            "family a_total untyped \"\" \"\"\na_total 1\n"
            "family b summary \"\" \"\"\nb{quantile=\"0.5\"} 1\nb_sum 1\n"
            "family b_bucket untyped \"\" \"\"\nb_bucket 1\n");
}

TEST(ExpositionText, finds_the_family_of_samples_that_come_unsorted) {
  EXPECT_EQ(text("# TYPE a counter\na 1\n# TYPE h histogram\nh_sum 1\na{x=\"1\"} 2\nh_count 1\n"),
            "family a counter \"\" \"\"\na 1\nfamily h histogram \"\" \"\"\nh_sum 1\na{x=\"1\"} 2\nh_count 1\n");
}

TEST(ExpositionText, takes_blanks_wherever_they_do_no_harm) {
  EXPECT_EQ(text(" \t a { x = \"1\" , y=\"2\", }\t5\t7 \n  #  TYPE   b\tgauge\nb{}1\nc 1 \n"),
            "family a untyped \"\" \"\"\na{x=\"1\",y=\"2\"} 5 @0.007\nfamily b gauge \"\" \"\"\nb 1\n"
            "family c untyped \"\" \"\"\nc 1\n");
}

TEST(ExpositionText, undoes_escapes_in_values_and_help) {
  EXPECT_EQ(text("# HELP a one\\ntwo\\\\three\na{p=\"C:\\\\x\\n\\\"y\\\"\",q=\"\\\\\"} 1\n"),
            "family a untyped \"one\\ntwo\\\\three\" \"\"\na{p=\"C:\\\\x\\n\\\"y\\\"\",q=\"\\\\\"} 1\n");
}

TEST(ExpositionText, reads_names_in_quotes) {
  EXPECT_EQ(text("# TYPE \"my.metric\" counter\n{\"my.metric\",\"a.b\"=\"1\",c=\"2\"} 3\n{\"other one\"} 4\n"),
            "family my.metric counter \"\" \"\"\nmy.metric{a.b=\"1\",c=\"2\"} 3\n"
            "family other one untyped \"\" \"\"\nother one 4\n");
}

TEST(ExpositionText, tells_a_family_that_has_metadata_only) {
  EXPECT_EQ(text("# TYPE a counter\n# HELP b nothing\n"),
            "family a counter \"\" \"\"\nfamily b untyped \"nothing\" \"\"\n");
}

TEST(ExpositionText, goes_on_behind_a_line_that_is_not_valid) {
  EXPECT_EQ(text("a 1\nb x\nc 2\n"),
            "family a untyped \"\" \"\"\na 1\nproblem 2:3 expected a number as the value, found x\n"
            "family c untyped \"\" \"\"\nc 2\n");
}

struct Place {
  const char* body;
  const char* place;  // of the first problem
};

void expect_places(std::initializer_list<Place> places, Format format) {
  for (const Place& one : places) {
    const std::string story = transcript(one.body, format);
    const std::size_t at = story.find("problem ");
    ASSERT_NE(at, std::string::npos) << one.body << story;
    const std::string place = story.substr(at + 8, story.find(' ', at + 8) - at - 8);
    EXPECT_EQ(place, one.place) << one.body << story;
  }
}

TEST(ExpositionText, names_line_and_column_of_a_problem) {
  expect_places({{"a\n", "1:2"},
                 {"a \n", "1:3"},
                 {"1a 1\n", "1:1"},
                 {"a-b 1\n", "1:2"},
                 {"a 1 2 3\n", "1:7"},
                 {"a 1 2.5\n", "1:5"},
                 {"a 1 +-2\n", "1:5"},
                 {"a 1 # {x=\"1\"} 1\n", "1:5"},
                 {"a{\n", "1:3"},
                 {"a{x} 1\n", "1:4"},
                 {"a{x=1} 1\n", "1:5"},
                 {"a{x=\"1} 1\n", "1:5"},
                 {"a{x=\"1\\\n", "1:5"},
                 {"a{x=\"1\" y=\"2\"} 1\n", "1:9"},
                 {"a{x=\"1\",,} 1\n", "1:9"},
                 {"a{,} 1\n", "1:3"},
                 {"a{0=\"1\"} 1\n", "1:3"},
                 {"a{a:b=\"1\"} 1\n", "1:4"},
                 {"a{x=\"1\",x=\"2\"} 1\n", "1:9"},
                 {"a{__name__=\"b\"} 1\n", "1:3"},
                 {"a{x=\"\\q\"} 1\n", "1:6"},
                 {"a{x=\"\xff\"} 1\n", "1:6"},
                 {"{x=\"1\"} 1\n", "1:1"},
                 {"{\"a\",\"b\"} 1\n", "1:6"},
                 {"{\"\"} 1\n", "1:2"},
                 {"a 1\r\n", "1:3"},
                 {"a 1\n# TYPE b meter\n", "2:10"},
                 {"# TYPE a info\n", "1:10"},
                 {"# TYPE a counter \n", "1:10"},
                 {"# HELP a \\q\n", "1:10"},
                 {"# TYPE 1 gauge\n", "1:8"},
                 {"# TYPE a-b gauge\n", "1:9"},
                 {"# TYPE a gauge\n# TYPE a gauge\n", "2:8"},
                 {"# HELP a x\n# HELP a y\n", "2:8"},
                 {"a 1\n# TYPE a gauge\n", "2:8"},
                 {"a 1", "1:4"}},
                Format::text);
}

TEST(ExpositionText, says_that_a_body_without_its_last_line_feed_may_be_cut) {
  EXPECT_EQ(text("a 1\na 12"),
            "family a untyped \"\" \"\"\na 1\n"
            "problem 2:5 the body ends within a line: it was cut off, or the last line feed is missing\ntruncated\n");
}

TEST(ExpositionText, takes_lines_without_content_for_comments) {
  EXPECT_EQ(text("#\n# \n#x\n# HELP\n# HELP a\n# TYPE a\n# UNIT a b\n# EOF\n"), "");
}

TEST(OpenMetrics, tells_all_types_with_units_and_exemplars) {
  EXPECT_EQ(openmetrics("# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Time \\\"spent\\\".\n"
                        "a_seconds_total{x=\"1\"} 5.5 1395066363.125 # {trace_id=\"k\"} 0.67 1395066363\n"
                        "a_seconds_created{x=\"1\"} 1395066000\n"
                        "# TYPE s stateset\ns{s=\"on\"} 1\n# TYPE i info\ni_info{v=\"1\"} 1\n"
                        "# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum 1\n"
                        "u 1\n# TYPE w unknown\nw NaN\n# EOF\n"),
            "family a_seconds counter \"Time \\\"spent\\\".\" \"seconds\"\n"
            "a_seconds_total{x=\"1\"} 5.5 @1395066363.125 # {trace_id=\"k\"} 0.67 @1395066363\n"
            "a_seconds_created{x=\"1\"} 1395066000\n"
            "family s stateset \"\" \"\"\ns{s=\"on\"} 1\nfamily i info \"\" \"\"\ni_info{v=\"1\"} 1\n"
            "family g gaugehistogram \"\" \"\"\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum 1\n"
            "family u unknown \"\" \"\"\nu 1\nfamily w unknown \"\" \"\"\nw NaN\n");
}

TEST(OpenMetrics, an_exemplar_may_come_without_timestamp_before_it_and_without_labels) {
  EXPECT_EQ(openmetrics("# TYPE a counter\na_total 1 # {} 2\n# EOF\n"), "family a counter \"\" \"\"\na_total 1 #  2\n");
}

TEST(OpenMetrics, keeps_backslashes_that_escape_nothing) {
  EXPECT_EQ(openmetrics("a{p=\"C:\\x\\\\\"} 1\n# EOF"), "family a unknown \"\" \"\"\na{p=\"C:\\\\x\\\\\"} 1\n");
}

TEST(OpenMetrics, without_its_end_mark_a_body_is_cut_off) {
  EXPECT_EQ(openmetrics("a 1\n"),
            "family a unknown \"\" \"\"\na 1\n"
            "problem 2:1 the body ends without # EOF: it was cut off\ntruncated\n");
  EXPECT_EQ(openmetrics(""), "problem 1:1 the body ends without # EOF: it was cut off\ntruncated\n");
  EXPECT_EQ(openmetrics("# EOF\n"), "");
}

TEST(OpenMetrics, names_line_and_column_of_a_problem) {
  expect_places({{"a  1\n", "1:3"},
                 {" a 1\n", "1:1"},
                 {"a 1 \n", "1:5"},
                 {"a\t1\n", "1:2"},
                 {"a{x=\"1\"}1\n", "1:9"},
                 {"a{x=\"1\",} 1\n", "1:9"},
                 {"a{x=\"1\", y=\"2\"} 1\n", "1:9"},
                 {"a 0x1p3\n", "1:3"},
                 {"a 1 Inf\n", "1:5"},
                 {"a 1 # x\n", "1:5"},
                 {"a 1 1 # {x=\"1\"}\n", "1:16"},
                 {"\n", "1:1"},
                 {"# a comment\n", "1:3"},
                 {"#TYPE a gauge\n", "1:2"},
                 {"# TYPE a\n", "1:9"},
                 {"# TYPE a untyped\n", "1:10"},
                 {"# TYPE a Gauge\n", "1:10"},
                 {"# UNIT a seconds\n", "1:10"},
                 {"# TYPE a counter\na 1\n", "2:1"},
                 {"# TYPE a gauge\na_total 1\na 1\n", "3:1"},
                 {"# TYPE a gauge\na 1\n# HELP a x\n", "3:8"},
                 {"a 1\nb 1\na 2\n", "3:1"},
                 {"a 1\nb 1\n# TYPE a gauge\n", "3:8"},
                 {"# EOF\na 1\n", "2:1"},
                 {"# EOF\n\n", "2:1"}},
                Format::openmetrics);
}

TEST(OpenMetrics, an_exemplar_stays_short_and_where_exemplars_belong) {
  const std::string longest(127, 'v');
  EXPECT_EQ(openmetrics("# TYPE a counter\na_total 1 # {x=\"" + longest + "\"} 1\n# EOF\n").find("problem"),
            std::string::npos);
  expect_places({{"# TYPE a gauge\na 1 # {x=\"1\"} 1\n", "2:1"}}, Format::openmetrics);
  EXPECT_NE(openmetrics("# TYPE a counter\na_total 1 # {x=\"v" + longest + "\"} 1\n# EOF\n").find("problem 2:11"),
            std::string::npos);
}

TEST(Exposition, tells_the_same_story_cut_at_every_byte) {
  const std::string_view body =
      "# HELP a x\\ny\n# TYPE a histogram\na_bucket{le=\"1\",p=\"q\\\"\xc3\xa4\"} 1 2\nbad{\na_sum 3\n\nb{x=\"1\"} "
      "NaN\n"
      "{\"c.d\"} 1\n# EOF\nlast";
  for (const Format format : {Format::text, Format::openmetrics}) {
    const std::string whole = transcript(body, format);
    for (std::size_t piece = 1; piece < body.size(); ++piece)
      EXPECT_EQ(transcript(body, format, piece), whole) << piece;
  }
}

TEST(Exposition, steps_over_what_is_not_wanted_without_reading_it) {
  const std::string_view body =
      "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\n# TYPE b counter\nb not_a_number\nb{ broken\n"
      "# TYPE ab gauge\nab 1\nvllm:x 1\nvllm:y{m=\"1\"} 2\n{\"q.r\"} 1\n";
  EXPECT_EQ(transcript(body, Format::text, SIZE_MAX, Wanted({"a"}, {"vllm:"})),
            "family a histogram \"\" \"\"\na_bucket{le=\"1\"} 1\na_sum 1\nfamily vllm:x untyped \"\" \"\"\nvllm:x 1\n"
            "family vllm:y untyped \"\" \"\"\nvllm:y{m=\"1\"} 2\n");
  EXPECT_EQ(transcript(body, Format::text, SIZE_MAX, Wanted({"a_sum", "q.r"})),
            "family a histogram \"\" \"\"\na_sum 1\nfamily q.r untyped \"\" \"\"\nq.r 1\n");
}

TEST(Exposition, still_sees_the_end_of_a_body_of_which_nothing_is_wanted) {
  EXPECT_EQ(transcript("a 1\n# EOF\n", Format::openmetrics, SIZE_MAX, Wanted({"b"})), "");
  EXPECT_NE(transcript("a 1\n", Format::openmetrics, SIZE_MAX, Wanted({"b"})).find("truncated"), std::string::npos);
}

TEST(Exposition, counts_what_it_saw) {
  Transcript out(Format::text);
  const auto counts = parse_exposition("a 1\nb 2\nc x\n\n# c\n", Format::text, out, Wanted({"b", "c"}));
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->bytes, 17U);
  EXPECT_EQ(counts->lines, 5U);
  EXPECT_EQ(counts->samples, 3U);
  EXPECT_EQ(counts->told, 1U);
  EXPECT_EQ(counts->problems, 1U);
}

// At each limit a body passes; one more and it fails with the limit's name, whole and byte by byte.
TEST(ExpositionLimits, hold_exactly) {
  struct Case {
    std::string at;
    std::string beyond;
    ExpositionLimits limits;
    const char* reason;
  };
  const std::string labels = "a{b=\"1\",c=\"2\"} 1\n";
  const Case cases[] = {
      {"a 1\na 2\n", "a 1\na 2\n\n", {.body_bytes = 8}, "the body has more than 8B"},
      {"a 1\na 2\n", "a 1\na 2\na 3\n", {.samples = 2}, "the body has more than 2 samples"},
      {"a 1\nb 2\n", "a 1\nb 2\nc 3\n", {.families = 2}, "the body has more than 2 families"},
      {labels, "a{b=\"1\",c=\"2\",d=\"3\"} 1\n", {.labels = 2}, "a sample has more than 2 labels"},
      {"abc{abc=\"1\"} 1\n", "abcd 1\n", {.name_bytes = 3}, "a name has more than 3 bytes"},
      {"abc{abc=\"1\"} 1\n", "a{abcd=\"1\"} 1\n", {.name_bytes = 3}, "a name has more than 3 bytes"},
      {"{\"abc\"} 1\n", "{\"abcd\"} 1\n", {.name_bytes = 3}, "a name has more than 3 bytes"},
      {"a{b=\"123\"} 1\n", "a{b=\"1234\"} 1\n", {.value_bytes = 3}, "a label's value has more than 3 bytes"},
      {"a 123\n# 345\n", "a 1234\n", {.line_bytes = 5}, "a line has more than 5 bytes"},
  };
  for (const Case& one : cases) {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{3}}) {
      EXPECT_EQ(transcript(one.at, Format::text, piece, {}, one.limits).find("error"), std::string::npos) << one.reason;
      EXPECT_NE(transcript(one.beyond, Format::text, piece, {}, one.limits).find(one.reason), std::string::npos)
          << transcript(one.beyond, Format::text, piece, {}, one.limits);
    }
  }
}

TEST(ExpositionLimits, problems_are_counted_further_than_they_are_told) {
  Transcript out(Format::text);
  const auto counts = parse_exposition("x\nx\nx\n", Format::text, out, {}, {.problems_told = 2});
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->problems, 3U);
  EXPECT_EQ(std::count(out.text.begin(), out.text.end(), '\n'), 2);
}

TEST(ExpositionFormat, is_read_from_the_content_type) {
  EXPECT_EQ(format_of("text/plain; version=0.0.4; charset=utf-8"), Format::text);
  EXPECT_EQ(format_of("Application/OpenMetrics-Text ; version=1.0.0"), Format::openmetrics);
  EXPECT_EQ(format_of("text/html"), std::nullopt);
  EXPECT_EQ(format_of(""), std::nullopt);
}

}  // namespace
}  // namespace trunkline::metrics
