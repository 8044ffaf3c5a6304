// The collector under the bench's command line, and the fleet that all clients scrape: scrape_bench serve PORT [BYTES]
// answers on all of 127.0.0.0/8, where each address is a target. scrape_bench collect URL CONCURRENCY TOTAL scrapes
// TARGETS of them (see measure.h) every INTERVAL_MS and parses what comes: it is told apart which cycle was the first.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "measure.h"
#include "services/scrape/collector.h"

namespace {

using namespace trunkline;

// As vLLM's: mostly histograms, of which a scaler wants a gauge or two.
std::string body_of(std::size_t bytes) {
  std::string body =
      "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{model_name=\"m\"} 7\n"
      "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{model_name=\"m\"} 3\n";
  for (int family = 0; body.size() < bytes; ++family) {
    const std::string name = "vllm:step_seconds_" + std::to_string(family);
    body += "# HELP " + name + " Histogram of something in seconds.\n# TYPE " + name + " histogram\n";
    for (int bucket = 0; bucket < 20; ++bucket) {
      body += name + "_bucket{le=\"" + std::to_string(bucket) + ".5\",model_name=\"m\"} " +
              std::to_string(bucket * 1371) + ".0\n";
    }
    body += name + "_count{model_name=\"m\"} 27420.0\n" + name + "_sum{model_name=\"m\"} 1234.5678\n";
  }
  return body;
}

int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0) {
    std::perror("scrape_bench: listen");
    std::exit(1);
  }
  return fd;
}

// Requests come whole and one at a time: any bytes that end a head are answered. Never returns.
[[noreturn]] void serve(int listening, std::size_t bytes) {
  const std::string body = body_of(bytes);
  const std::string response =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listening}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
  std::array<epoll_event, 256> events{};
  std::array<char, 4096> in{};
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listening) {
        const int accepted = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) continue;
        const int yes = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        event = {.events = EPOLLIN, .data = {.fd = accepted}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
        continue;
      }
      const ssize_t got = recv(fd, in.data(), in.size(), 0);
      const bool whole = got >= 4 && std::memcmp(in.data() + got - 4, "\r\n\r\n", 4) == 0;
      if (got <= 0 || (whole && send(fd, response.data(), response.size(), MSG_NOSIGNAL) < 0)) close(fd);
    }
  }
}

void raise_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<scrape::TargetPtr> fleet(const std::string& url) {
  const auto job = std::make_shared<const scrape::Job>();
  std::vector<scrape::TargetPtr> targets;
  for (const std::string& one : bench::target_urls(url)) targets.push_back(scrape::make_target(job, one).value());
  return targets;
}

// Waits for the snapshots of a collector one by one.
class Cycles {
 public:
  void put(const scrape::SnapshotPtr& snapshot) {
    const std::lock_guard lock(mutex_);
    snapshots_.push_back(snapshot);
    changed_.notify_one();
  }
  scrape::SnapshotPtr wait_for(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return snapshots_.size() > index; });
    return snapshots_[index];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<scrape::SnapshotPtr> snapshots_;
};

// Latencies and what failed, over all warm cycles.
struct Warm {
  std::vector<float> microseconds;
  std::size_t failed = 0;
  std::size_t dials = 0;

  void add(const scrape::Snapshot& snapshot) {
    failed += snapshot.targets.size() - snapshot.totals.fresh;
    dials += snapshot.totals.dials;
    for (const scrape::TargetSnapshot& one : snapshot.targets) {
      microseconds.push_back(std::chrono::duration<float, std::micro>(one.report.duration).count());
    }
  }
  double at(double quantile) {
    const auto place =
        microseconds.begin() + static_cast<long>(quantile * static_cast<double>(microseconds.size() - 1));
    std::nth_element(microseconds.begin(), place, microseconds.end());
    return *place;
  }
};

void collect(const bench::Arguments& arguments) {
  scrape::CollectorSettings settings;
  settings.schedule = scrape::settings_for(std::chrono::milliseconds(bench::setting("INTERVAL_MS", 15000)));
  settings.schedule.concurrency = static_cast<std::size_t>(arguments.concurrency);
  settings.aligned = false;
  const std::vector<scrape::TargetPtr> targets = fleet(arguments.url);
  const std::size_t cycles = std::max<std::size_t>(1, static_cast<std::size_t>(arguments.total) / targets.size());
  scrape::Collector collector(settings, {std::make_shared<scrape::StaticSource>(targets)});
  Cycles snapshots;
  collector.subscribe({.names = {"vllm:num_requests_running", "vllm:num_requests_waiting"}},
                      [&](const scrape::SnapshotPtr& snapshot) { snapshots.put(snapshot); });
  const bench::Cpu begun = bench::cpu_of_this_process();
  const auto begin = bench::Clock::now();
  if (!collector.start()) std::exit(1);
  snapshots.wait_for(0);
  const bench::Cpu before = bench::cpu_of_this_process();
  const auto start = bench::Clock::now();
  Warm warm;
  for (std::size_t cycle = 1; cycle <= cycles; ++cycle) warm.add(*snapshots.wait_for(cycle));
  const bench::Cpu after = bench::cpu_of_this_process();
  const auto end = bench::Clock::now();
  const auto seconds = [](auto from, auto to) { return std::chrono::duration<double>(to - from).count(); };
  std::printf(
      "{\"wall\":%.6f,\"ut\":%.6f,\"st\":%.6f,\"err\":%zu,\"n\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"rss_kb\":%ld,"
      "\"cold_wall\":%.6f,\"cold_cpu\":%.6f,\"warm_dials\":%zu}\n",
      seconds(start, end), after.user - before.user, after.system - before.system, warm.failed,
      warm.microseconds.size(), warm.at(0.5), warm.at(0.99), after.peak_rss_kb, seconds(begin, start),
      before.user + before.system - begun.user - begun.system, warm.dials);
  std::fflush(stdout);
  bench::hold();
}

}  // namespace

int main(int count, char** arguments) {
  raise_descriptors();
  if (count >= 3 && std::string_view(arguments[1]) == "serve") {
    serve(listen_on(std::atoi(arguments[2])), count > 3 ? std::strtoul(arguments[3], nullptr, 10) : 20'000);
  }
  const bench::Arguments given = bench::parse_arguments(count, arguments, "collect (and: serve PORT [BYTES])");
  if (given.mode != "collect") return 2;
  collect(given);
}
