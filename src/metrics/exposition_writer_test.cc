#include "metrics/exposition_writer.h"

#include <limits>

#include <gtest/gtest.h>

#include "metrics/transcript.h"

namespace trunkline::metrics {
namespace {

template <class Fill>
std::string written(Format format, const Fill& fill) {
  ExpositionWriter writer(format);
  fill(writer);
  return writer.take();
}

TEST(ExpositionWriter, writes_counters_as_each_format_wants_them) {
  const auto fill = [](ExpositionWriter& writer) {
    writer.family("cpu_seconds_total", Type::counter, "Time \"spent\".");
    writer.sample({{"mode", "user"}}, 1.5);
  };
  EXPECT_EQ(written(Format::text, fill),
            "# HELP cpu_seconds_total Time \"spent\".\n# TYPE cpu_seconds_total counter\n"
            "cpu_seconds_total{mode=\"user\"} 1.5\n");
  EXPECT_EQ(written(Format::openmetrics, fill),
            "# HELP cpu_seconds Time \\\"spent\\\".\n# TYPE cpu_seconds counter\n# UNIT cpu_seconds seconds\n"
            "cpu_seconds_total{mode=\"user\"} 1.5\n# EOF\n");
}

TEST(ExpositionWriter, makes_buckets_cumulative) {
  const auto fill = [](ExpositionWriter& writer) {
    writer.family("h", Type::histogram, "x");
    const Label label{"a", "b"};
    writer.histogram({&label, 1}, std::vector<double>{0.5, 1}, std::vector<std::uint64_t>{1, 2, 3}, 7.5);
  };
  EXPECT_EQ(written(Format::openmetrics, fill),
            "# HELP h x\n# TYPE h histogram\nh_bucket{a=\"b\",le=\"0.5\"} 1\nh_bucket{a=\"b\",le=\"1.0\"} 3\n"
            "h_bucket{a=\"b\",le=\"+Inf\"} 6\nh_sum{a=\"b\"} 7.5\nh_count{a=\"b\"} 6\n# EOF\n");
  EXPECT_NE(written(Format::text, fill).find("le=\"1\"} 3"), std::string::npos);
}

TEST(ExpositionWriter, keeps_a_family_together_that_several_write_to) {
  EXPECT_EQ(written(Format::text,
                    [](ExpositionWriter& writer) {
                      writer.family("a", Type::gauge, "x");
                      writer.sample({{"s", "1"}}, 1);
                      writer.family("b", Type::gauge, "y");
                      writer.sample(2);
                      writer.family("a", Type::gauge, "x");
                      writer.sample({{"s", "2"}}, 3);
                    }),
            "# HELP a x\n# TYPE a gauge\na{s=\"1\"} 1\na{s=\"2\"} 3\n# HELP b y\n# TYPE b gauge\nb 2\n");
}

TEST(ExpositionWriter, escapes_what_the_formats_escape_and_writes_nothing_but_utf8) {
  const std::string page = written(Format::text, [](ExpositionWriter& writer) {
    writer.family("a", Type::gauge, "one\ntwo\\");
    writer.sample({{"s", "q\"\\\n\xff\xc3\xa4"}}, std::numeric_limits<double>::infinity());
  });
  EXPECT_EQ(page, "# HELP a one\\ntwo\\\\\n# TYPE a gauge\na{s=\"q\\\"\\\\\\n\xEF\xBF\xBD\xc3\xa4\"} +Inf\n");
  EXPECT_EQ(transcript(page, Format::text).find("problem"), std::string::npos);
}

TEST(ExpositionWriter, names_an_info_in_both_formats) {
  const auto fill = [](ExpositionWriter& writer) {
    writer.family("build", Type::info, "x");
    writer.sample({{"version", "1"}}, 1);
  };
  EXPECT_EQ(written(Format::text, fill), "# HELP build_info x\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n");
  EXPECT_EQ(written(Format::openmetrics, fill),
            "# HELP build x\n# TYPE build info\nbuild_info{version=\"1\"} 1\n# EOF\n");
}

TEST(ExpositionWriter, relays_a_page_with_labels_of_its_own) {
  const std::string_view page =
      "# HELP a_total x\n# TYPE a_total counter\na_total{r=\"1\"} 1 2500\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\n"
      "h_sum 3\nh_count 2\na_total{r=\"2\"} 4\n# TYPE odd counter\nodd 1\n";
  const auto fill = [page](ExpositionWriter& writer) {
    const Label label{"t", "one"};
    EXPECT_TRUE(relay_page(writer, page, {&label, 1}));
  };
  EXPECT_EQ(written(Format::openmetrics, fill),
            "# HELP a x\n# TYPE a counter\na_total{t=\"one\",r=\"1\"} 1 2.5\na_total{t=\"one\",r=\"2\"} 4\n"
            "# HELP h \n# TYPE h histogram\nh_bucket{t=\"one\",le=\"+Inf\"} 2\nh_sum{t=\"one\"} 3\n"
            "h_count{t=\"one\"} 2\n# HELP odd \n# TYPE odd unknown\nodd{t=\"one\"} 1\n# EOF\n");
  EXPECT_NE(written(Format::text, fill).find("a_total{t=\"one\",r=\"1\"} 1 2500\n"), std::string::npos);
  ExpositionWriter writer(Format::text);
  EXPECT_FALSE(relay_page(writer, "a x\n"));
}

}  // namespace
}  // namespace trunkline::metrics
