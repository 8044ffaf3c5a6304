// The collector against a fleet on loopback: scrape_bench collect TARGETS CYCLES INTERVAL_MS, or scrape_bench serve
// PORT to let another client scrape the same fleet. The fleet is one process (a child of ours, whose CPU does not
// count) on all of 127.0.0.0/8: each address is a target with a body of 20 KB.
//
// One JSON line: CPU of this process per warm scrape, dials of the warm cycles, latency, memory.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "measure.h"
#include "services/scrape/collector.h"

namespace {

using namespace trunkline;

// As vLLM's: mostly histograms, of which a scaler wants a gauge or two.
std::string body_of_20_kb() {
  std::string body =
      "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{model_name=\"m\"} 7\n"
      "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{model_name=\"m\"} 3\n";
  for (int family = 0; body.size() < 20'000; ++family) {
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

int port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

// Requests come whole and one at a time: any bytes that end a head are answered. Never returns.
[[noreturn]] void serve(int listening) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string body = body_of_20_kb();
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

std::vector<scrape::TargetPtr> fleet(int port, int count) {
  const auto job = std::make_shared<const scrape::Job>();
  std::vector<scrape::TargetPtr> targets;
  for (int i = 0; i < count; ++i) {
    const std::string host = "127.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
    targets.push_back(scrape::make_target(job, host + ":" + std::to_string(port)).value());
  }
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

double milliseconds_at(std::vector<Duration>& durations, double quantile) {
  if (durations.empty()) return 0;
  const auto at = durations.begin() + static_cast<long>(quantile * static_cast<double>(durations.size() - 1));
  std::nth_element(durations.begin(), at, durations.end());
  return std::chrono::duration<double, std::milli>(*at).count();
}

int collect(int port, int targets, std::size_t cycles, Duration interval) {
  scrape::CollectorSettings settings;
  settings.schedule = scrape::settings_for(interval);
  settings.aligned = false;
  scrape::Collector collector(settings, {std::make_shared<scrape::StaticSource>(fleet(port, targets))});
  Cycles snapshots;
  collector.subscribe({.names = {"vllm:num_requests_running", "vllm:num_requests_waiting"}},
                      [&](const scrape::SnapshotPtr& snapshot) { snapshots.put(snapshot); });
  if (!collector.start()) return 1;
  const scrape::SnapshotPtr cold = snapshots.wait_for(0);
  const bench::Cpu cold_cpu = bench::cpu_of_this_process();
  std::vector<Duration> durations;
  std::size_t missing = 0;
  std::size_t dials = 0;
  for (std::size_t cycle = 1; cycle <= cycles; ++cycle) {
    const scrape::SnapshotPtr snapshot = snapshots.wait_for(cycle);
    missing += snapshot->totals.missing;
    dials += snapshot->totals.dials;
    for (const scrape::TargetSnapshot& one : snapshot->targets) durations.push_back(one.report.duration);
  }
  const bench::Cpu cpu = bench::cpu_of_this_process();
  collector.stop();
  const double scrapes = static_cast<double>(durations.size());
  const double warm = cpu.user + cpu.system - cold_cpu.user - cold_cpu.system;
  std::printf(
      "{\"targets\":%d,\"cycles\":%zu,\"cold_dials\":%zu,\"cold_missing\":%zu,\"cold_cpu_us_per_scrape\":%.2f,"
      "\"warm_dials\":%zu,\"warm_missing\":%zu,\"cpu_us_per_scrape\":%.2f,\"cpu_ms_per_cycle\":%.2f,"
      "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"peak_rss_mb\":%.1f}\n",
      targets, cycles, cold->totals.dials, cold->totals.missing,
      (cold_cpu.user + cold_cpu.system) * 1e6 / std::max(targets, 1), dials, missing,
      scrapes > 0 ? warm * 1e6 / scrapes : 0, warm * 1e3 / static_cast<double>(std::max<std::size_t>(cycles, 1)),
      milliseconds_at(durations, 0.5), milliseconds_at(durations, 0.99), static_cast<double>(cpu.peak_rss_kb) / 1024);
  return missing == 0 && dials == 0 ? 0 : 1;
}

int misuse() {
  std::fputs("usage: scrape_bench collect TARGETS CYCLES INTERVAL_MS | scrape_bench serve PORT\n", stderr);
  return 2;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "";
  raise_descriptors();
  if (mode == "serve" && count == 3) serve(listen_on(std::atoi(arguments[2])));
  if (mode != "collect" || count != 5) return misuse();
  const int listening = listen_on(0);
  const int port = port_of(listening);
  const pid_t server = fork();
  if (server == 0) serve(listening);
  close(listening);
  const int code = collect(port, std::atoi(arguments[2]), static_cast<std::size_t>(std::atoi(arguments[3])),
                           std::chrono::milliseconds(std::atol(arguments[4])));
  kill(server, SIGKILL);
  return code;
}
