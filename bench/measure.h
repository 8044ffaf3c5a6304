// What every client of the bench has in common: MODE URL CONCURRENCY TOTAL on the command line, settings from the
// environment, and one JSON line with wall time, CPU of this process, errors and latencies.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace bench {

struct Arguments {
  std::string mode;
  std::string url;
  long concurrency = 1;
  long total = 1;
};

inline Arguments parse_arguments(int argc, char** argv, const char* modes) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s MODE URL CONCURRENCY TOTAL\nmodes: %s\n", argv[0], modes);
    std::exit(2);
  }
  return {argv[1], argv[2], std::atol(argv[3]), std::atol(argv[4])};
}

inline std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}
inline long setting(const char* name, long otherwise) {
  const char* value = std::getenv(name);
  return value ? std::atol(value) : otherwise;
}
// BODY=n: POST that many bytes instead of GET.
inline std::string request_body() { return std::string(static_cast<std::size_t>(setting("BODY", 0)), 'x'); }

// TARGETS=n: requests go in turn to n addresses of 127.0.0.0/8 instead of to 127.0.0.1, each of which is a host of its
// own to a client. Without it, the one URL.
inline std::vector<std::string> target_urls(const std::string& url) {
  const long targets = setting("TARGETS", 0);
  if (targets == 0) return {url};
  const std::string one = "127.0.0.1";
  const std::size_t at = url.find(one);
  std::vector<std::string> urls;
  for (long i = 0; i < targets; ++i) {
    const std::string address = "127.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
    urls.push_back(std::string(url).replace(at, one.size(), address));
  }
  return urls;
}

using Clock = std::chrono::steady_clock;

// Latencies by the number of the request, so that threads share no place, and the errors among them.
class Samples {
 public:
  explicit Samples(long total) : microseconds_(static_cast<std::size_t>(total)) {}
  void set(long request, Clock::time_point started) {
    microseconds_[static_cast<std::size_t>(request)] =
        std::chrono::duration<float, std::micro>(Clock::now() - started).count();
  }
  long total() const { return static_cast<long>(microseconds_.size()); }
  float quantile(double q) {
    if (microseconds_.empty()) return 0;
    const auto at = microseconds_.begin() + static_cast<long>(q * static_cast<double>(microseconds_.size() - 1));
    std::nth_element(microseconds_.begin(), at, microseconds_.end());
    return *at;
  }

 private:
  std::vector<float> microseconds_;
};

struct Cpu {
  double user = 0;
  double system = 0;
  long peak_rss_kb = 0;
};
inline Cpu cpu_of_this_process() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss};
}

// PHASE(samples) runs samples.total() requests and returns how many failed. WARM=n: n requests before the clock starts;
// what they took is told apart, as the cold start.
template <class Phase>
void measure(long total, Phase&& phase) {
  const Cpu begun = cpu_of_this_process();
  const auto begin = Clock::now();
  if (const long warm = setting("WARM", 0); warm > 0) {
    Samples dropped(warm);
    phase(dropped);
  }
  Samples samples(total);
  const Cpu before = cpu_of_this_process();
  const auto start = Clock::now();
  const long errors = phase(samples);
  const double wall = std::chrono::duration<double>(Clock::now() - start).count();
  const Cpu after = cpu_of_this_process();
  std::printf(
      "{\"wall\":%.6f,\"ut\":%.6f,\"st\":%.6f,\"err\":%ld,\"n\":%ld,\"p50\":%.1f,\"p99\":%.1f,\"rss_kb\":%ld,"
      "\"cold_wall\":%.6f,\"cold_cpu\":%.6f}\n",
      wall, after.user - before.user, after.system - before.system, errors, total, samples.quantile(.5),
      samples.quantile(.99), after.peak_rss_kb, std::chrono::duration<double>(start - begin).count(),
      before.user + before.system - begun.user - begun.system);
  std::fflush(stdout);
}

inline long resident_kb() {
  std::ifstream statm("/proc/self/statm");
  long size = 0, resident = 0;
  statm >> size >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

// The line of an `idle` mode: what `total` idle connections cost this process.
inline void print_memory(long idle, long errors, long before_kb, long after_kb, long trimmed_kb) {
  std::printf("{\"n\":%ld,\"err\":%ld,\"before_kb\":%ld,\"after_kb\":%ld,\"trimmed_kb\":%ld}\n", idle, errors,
              before_kb, after_kb, trimmed_kb);
  std::fflush(stdout);
}

// HOLD=1: keep the sockets until standard input closes, so that the runner can count them.
inline void hold() {
  if (!std::getenv("HOLD")) return;
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
}

}  // namespace bench
