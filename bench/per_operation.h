// CPU of one cheap operation, alone and with several threads at the same object.
#pragma once

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <thread>
#include <vector>

namespace bench {

inline double thread_cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Prints the median of 11 runs, of `count` operations by each thread.
template <class Operation>
void per_operation(const char* name, int threads, int count, const Operation& operation) {
  std::vector<double> runs;
  for (int run = 0; run < 11; ++run) {
    std::vector<double> costs(static_cast<std::size_t>(threads));
    std::vector<std::thread> workers;
    for (double& cost : costs) {
      workers.emplace_back([&operation, &cost, count] {
        const double start = thread_cpu_nanoseconds();
        for (int i = 0; i < count; ++i) operation(i);
        cost = (thread_cpu_nanoseconds() - start) / count;
      });
    }
    for (std::thread& worker : workers) worker.join();
    runs.push_back(*std::max_element(costs.begin(), costs.end()));
  }
  std::sort(runs.begin(), runs.end());
  std::printf("%-28s %d threads %8.1f ns\n", name, threads, runs[runs.size() / 2]);
}

}  // namespace bench
