// What counting costs. prometheus_cpp_bench does the same with Debian's library.
#include <string>

#include "metrics/registry.h"
#include "per_operation.h"

int main() {
  using namespace trunkline::metrics;
  Registry registry;
  Counter& counter = registry.counter("calls_total", "x");
  Gauge& gauge = registry.gauge("open", "x");
  Histogram& histogram = registry.histogram("seconds", "x", exponential_bounds(0.001, 2, 15));
  LabelSet<Counter>& set = registry.counters("errors_total", "x", {"route", "reason"});
  for (int i = 0; i < 500; ++i) set.with({"https://host-" + std::to_string(i), "busy"});
  for (const int threads : {1, 2}) {
    bench::per_operation("count", threads, 2'000'000, [&](int) { counter.add(); });
    bench::per_operation("gauge up", threads, 2'000'000, [&](int) { gauge.add(1); });
    bench::per_operation("observe", threads, 2'000'000, [&](int i) { histogram.observe(0.001 * (i & 1023)); });
    bench::per_operation("look up and count", threads, 200'000,
                         [&](int) { set.with({"https://host-250", "busy"}).add(); });
  }
  bench::per_operation("page of 1,000 series", 1, 100, [&](int) {
    ExpositionWriter writer(Format::text);
    registry.write(writer);
    registry.write(writer);
    if (writer.take().size() < 1000) std::abort();
  });
}
