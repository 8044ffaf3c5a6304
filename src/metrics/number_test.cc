#include "metrics/number.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace trunkline::metrics {
namespace {

std::optional<double> read(std::string_view text) { return parse_number(text, true); }

TEST(Number, reads_what_go_reads) {
  EXPECT_EQ(read("0"), 0.0);
  EXPECT_EQ(read("+12"), 12.0);
  EXPECT_EQ(read("-12.5"), -12.5);
  EXPECT_EQ(read(".5"), 0.5);
  EXPECT_EQ(read("5."), 5.0);
  EXPECT_EQ(read("1e3"), 1000.0);
  EXPECT_EQ(read("1E+3"), 1000.0);
  EXPECT_EQ(read("0012"), 12.0);
  EXPECT_EQ(read("4.9406564584124654e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(read("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(read("9007199254740993"), 9007199254740992.0);
  EXPECT_TRUE(std::signbit(*read("-0")));
}

TEST(Number, reads_infinity_and_nan_in_any_case) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const char* text : {"Inf", "+inf", "INFINITY", "+Infinity"}) EXPECT_EQ(read(text), infinity) << text;
  EXPECT_EQ(read("-Inf"), -infinity);
  for (const char* text : {"NaN", "nan", "NAN"}) EXPECT_TRUE(read(text) && std::isnan(*read(text))) << text;
}

TEST(Number, reads_hexadecimal_floats_where_they_are_permitted) {
  EXPECT_EQ(read("0x1p-2"), 0.25);
  EXPECT_EQ(read("-0X1.8P+1"), -3.0);
  EXPECT_EQ(read("0x.8p0"), 0.5);
  EXPECT_EQ(read("0x_1F_Fp0"), 511.0);
  EXPECT_EQ(read("0x1fffffffffffff8p0"), 144115188075855864.0);
  EXPECT_EQ(read("0x1p-2000"), 0.0);
  EXPECT_EQ(parse_number("0x1p-2", false), std::nullopt);
}

TEST(Number, refuses_what_go_refuses) {
  for (const char* text : {"",    "+",    "-",       ".",      "+.",   "1e",   "1e+",      "e5",   "1_000", "0x10",
                           "0x",  "0xp1", "0x1_p0",  "0x1p",   "+NaN", "-nan", "++1",      "+-1",  "1 ",    " 1",
                           "1,5", "in",   "infinit", "nan(1)", "1f",   "0b1",  "0x1__0p0", "0x_p0"}) {
    EXPECT_EQ(read(text), std::nullopt) << text;
  }
}

TEST(Number, refuses_what_is_too_large_and_takes_what_is_too_small_for_zero) {
  for (const char* text : {"1e309", "-1e309", "179769313486231580793e289", "0x1p1024", "1e99999999999"}) {
    EXPECT_EQ(read(text), std::nullopt) << text;
  }
  EXPECT_EQ(read(std::string(400, '9')), std::nullopt);
  EXPECT_EQ(read("1e-400"), 0.0);
  EXPECT_EQ(read("0." + std::string(400, '0') + "1"), 0.0);
  EXPECT_EQ(read("0e99999999999"), 0.0);
  EXPECT_EQ(read("1e-99999999999"), 0.0);
}

TEST(Number, is_written_so_that_it_reads_the_same) {
  const auto written = [](double value) {
    std::string out;
    append_number(out, value);
    return out;
  };
  EXPECT_EQ(written(1), "1");
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_EQ(written(-2.5), "-2.5");
  EXPECT_EQ(written(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(written(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(written(std::nan("")), "NaN");
  for (const double value : {1e300, 1.0 / 3, 123456789012345680.0, 5e-324}) EXPECT_EQ(read(written(value)), value);
}

}  // namespace
}  // namespace trunkline::metrics
