// What counting costs with prometheus-cpp, as instruments_bench measures it.
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <string>

#include "per_operation.h"

int main() {
  using namespace prometheus;
  Registry registry;
  Counter& counter = BuildCounter().Name("calls_total").Help("x").Register(registry).Add({});
  Gauge& gauge = BuildGauge().Name("open").Help("x").Register(registry).Add({});
  Histogram::BucketBoundaries bounds;
  for (double bound = 0.001; bounds.size() < 15; bound *= 2) bounds.push_back(bound);
  Histogram& histogram = BuildHistogram().Name("seconds").Help("x").Register(registry).Add({}, bounds);
  Family<Counter>& set = BuildCounter().Name("errors_total").Help("x").Register(registry);
  for (int i = 0; i < 500; ++i) set.Add({{"route", "https://host-" + std::to_string(i)}, {"reason", "busy"}});
  for (const int threads : {1, 2}) {
    bench::per_operation("count", threads, 2'000'000, [&](int) { counter.Increment(); });
    bench::per_operation("gauge up", threads, 2'000'000, [&](int) { gauge.Increment(); });
    bench::per_operation("observe", threads, 2'000'000, [&](int i) { histogram.Observe(0.001 * (i & 1023)); });
    bench::per_operation("look up and count", threads, 200'000,
                         [&](int) { set.Add({{"route", "https://host-250"}, {"reason", "busy"}}).Increment(); });
  }
  bench::per_operation("page of 1,000 series", 1, 100, [&](int) {
    std::string page = TextSerializer().Serialize(registry.Collect());
    page += TextSerializer().Serialize(registry.Collect());
    if (page.size() < 1000) std::abort();
  });
}
