#include "metrics/negotiation.h"

#include <zlib.h>

#include <gtest/gtest.h>

#include "metrics/registry.h"

namespace trunkline::metrics {
namespace {

TEST(Negotiation, gives_prometheus_openmetrics_and_a_browser_text) {
  EXPECT_EQ(negotiate("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                      "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,"
                      "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"),
            Format::openmetrics);
  EXPECT_EQ(negotiate("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Format::text);
  EXPECT_EQ(negotiate("*/*"), Format::text);
  EXPECT_EQ(negotiate(""), Format::text);
}

TEST(Negotiation, follows_the_weights) {
  EXPECT_EQ(negotiate("text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5"), Format::text);
  EXPECT_EQ(negotiate("text/plain;q=0.4, Application/OpenMetrics-Text ; Q=0.5"), Format::openmetrics);
  EXPECT_EQ(negotiate("application/openmetrics-text;q=0.5, text/plain;q=0.5"), Format::openmetrics);
  EXPECT_EQ(negotiate("text/plain;q=0.5, application/openmetrics-text;q=0.5"), Format::text);
  EXPECT_EQ(negotiate("application/openmetrics-text;q=0"), Format::text);
  EXPECT_EQ(negotiate("application/openmetrics-text;q=x"), Format::text);
  EXPECT_EQ(negotiate("application/openmetrics-text;version=0.0.1"), Format::text);
}

TEST(Negotiation, asks_whether_gzip_may_be) {
  for (const char* field : {"gzip", "deflate, gzip;q=0.5", "x-gzip", "*", "GZIP"})
    EXPECT_TRUE(accepts_gzip(field)) << field;
  for (const char* field : {"", "identity", "gzip;q=0", "gzip;q=0, *", "br", "*;q=0"}) {
    EXPECT_FALSE(accepts_gzip(field)) << field;
  }
}

std::string inflated(const std::string& coded) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 31), Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
  stream.avail_in = static_cast<uInt>(coded.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Negotiation, codes_a_page_that_is_worth_it) {
  Registry registry;
  LabelSet<Gauge>& set = registry.gauges("g", "x", {"n"});
  const Page small = serve_page(registry, "", "gzip");
  EXPECT_EQ(small.content_encoding, "");
  EXPECT_EQ(small.content_type, "text/plain; version=0.0.4; charset=utf-8");
  for (int i = 0; i < 200; ++i) set.with({std::to_string(i)}).set(i);
  const Page large = serve_page(registry, "application/openmetrics-text", "gzip");
  EXPECT_EQ(large.content_encoding, "gzip");
  EXPECT_EQ(large.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_EQ(inflated(large.body), registry.page(Format::openmetrics));
  EXPECT_EQ(serve_page(registry, "", "").body, registry.page(Format::text));
}

}  // namespace
}  // namespace trunkline::metrics
