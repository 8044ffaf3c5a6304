#include "metrics/process_metrics.h"

#include <gtest/gtest.h>

#include "metrics/transcript.h"

namespace trunkline::metrics {
namespace {

constexpr const char* self =
    "42 (a (b) c) S 1 42 42 0 -1 4194560 1000 0 0 0 150 50 0 0 20 0 3 0 12345 1048576 25 18446744073709551615\n";
constexpr const char* kernel = "cpu 1 2 3\nbtime 1700000000\nprocesses 5\n";

TEST(ProcessMetrics, are_read_behind_a_name_that_holds_anything) {
  ProcessFigures figures;
  ASSERT_TRUE(parse_process_figures(self, kernel, 100, 4096, figures));
  EXPECT_EQ(figures.cpu_seconds, 2);
  EXPECT_EQ(figures.threads, 3);
  EXPECT_EQ(figures.start_time_seconds, 1700000123.45);
  EXPECT_EQ(figures.virtual_bytes, 1048576);
  EXPECT_EQ(figures.resident_bytes, 102400);
}

TEST(ProcessMetrics, what_is_not_linux_is_not_believed) {
  ProcessFigures figures;
  EXPECT_FALSE(parse_process_figures("", kernel, 100, 4096, figures));
  EXPECT_FALSE(parse_process_figures(self, "", 100, 4096, figures));
  EXPECT_FALSE(parse_process_figures("42 (a) S 1 2\n", kernel, 100, 4096, figures));
  EXPECT_FALSE(parse_process_figures("42 (a) S x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22", kernel, 100,
                                     4096, figures));
}

TEST(ProcessMetrics, tell_of_this_process) {
  ExpositionWriter writer(Format::openmetrics);
  write_process_metrics(writer);
  const std::string page = writer.take();
  EXPECT_EQ(transcript(page, Format::openmetrics).find("problem"), std::string::npos);
  for (const char* name : {"\nprocess_cpu_seconds_total ", "\nprocess_resident_memory_bytes ", "\nprocess_open_fds ",
                           "\nprocess_start_time_seconds 1"}) {
    EXPECT_NE(page.find(name), std::string::npos) << page;
  }
}

}  // namespace
}  // namespace trunkline::metrics
