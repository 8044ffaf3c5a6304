// How fast bodies of metrics are read: 20 KB and 2 MB as a model server exposes them, whole and for the few families
// that an autoscaler wants. exposition_bench [--write DIR] prints MB/s, or writes the bodies for other readers to be
// measured.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "metrics/exposition_parser.h"
#include "per_operation.h"

namespace {

using namespace trunkline::metrics;

// Of about this size: a few gauges that are wanted, and histograms of many buckets that are not.
std::string body_of(std::size_t bytes) {
  const std::string model = "{model_name=\"meta-llama/Llama-3.1-8B-Instruct\",engine=\"0\"";
  std::string out;
  for (const char* gauge : {"num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"}) {
    out += std::string("# HELP vllm:") + gauge + " What it says.\n# TYPE vllm:" + gauge + " gauge\n";
    out += std::string("vllm:") + gauge + model + "} 3.25\n";
  }
  for (int family = 0; out.size() < bytes; ++family) {
    const std::string name = "vllm:request_phase_" + std::to_string(family) + "_seconds";
    out += "# HELP " + name + " Histogram of time spent in a phase of a request.\n# TYPE " + name + " histogram\n";
    std::uint64_t count = 0;
    for (int handler = 0; handler < 8 && out.size() < bytes; ++handler) {
      const std::string labels = model + ",handler=\"/v1/chat/" + std::to_string(handler) + "\"";
      for (const char* le : {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "+Inf"}) {
        count += 17 * static_cast<std::uint64_t>(handler + 1);
        out += name + "_bucket" + labels + ",le=\"" + le + "\"} " + std::to_string(count) + ".0\n";
      }
      out += name + "_sum" + labels + "} " + std::to_string(static_cast<double>(count) * 0.0371) + "\n";
      out += name + "_count" + labels + "} " + std::to_string(count) + ".0\n";
    }
  }
  return out;
}

class Sum final : public Visitor {
 public:
  double value = 0;
  void on_sample(const Sample& sample) override { value += sample.value + static_cast<double>(sample.labels.size()); }
};

// CPU of the median of many runs, in nanoseconds for one body.
double measure(const std::string& body, const Wanted& wanted) {
  const std::size_t times = std::max<std::size_t>(1, 4'000'000 / body.size());
  std::vector<double> runs;
  for (int run = 0; run < 21; ++run) {
    const double start = bench::thread_cpu_nanoseconds();
    for (std::size_t i = 0; i < times; ++i) {
      Sum sum;
      const auto counts = parse_exposition(body, Format::text, sum, wanted);
      if (!counts || counts->problems != 0 || sum.value == 0) std::abort();
    }
    runs.push_back((bench::thread_cpu_nanoseconds() - start) / static_cast<double>(times));
  }
  std::sort(runs.begin(), runs.end());
  return runs[runs.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const Wanted wanted({"vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"});
  std::printf("%-8s %10s %8s %12s %10s\n", "body", "bytes", "read", "CPU us", "MB/s");
  for (const std::size_t size : {20'000UL, 2'000'000UL}) {
    const std::string body = body_of(size);
    const std::string name = size == 20'000 ? "20KB" : "2MB";
    if (count == 3 && std::string(arguments[1]) == "--write") {
      std::ofstream(std::string(arguments[2]) + "/" + name + ".txt") << body;
      continue;
    }
    for (const bool all : {true, false}) {
      const double nanoseconds = measure(body, all ? Wanted() : wanted);
      std::printf("%-8s %10zu %8s %12.1f %10.0f\n", name.c_str(), body.size(), all ? "all" : "wanted",
                  nanoseconds / 1000, static_cast<double>(body.size()) / nanoseconds * 1000);
    }
  }
}
