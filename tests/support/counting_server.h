// A server that is fast and counts: for tests where thousands of connections or requests matter and faultd would be the
// bottleneck. Its accepts are the oracle. Every response's body is the request's target, so that a reply which reaches
// the wrong request is seen.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/certificates.h"

namespace trunkline::test {

struct CountingOptions {
  int port = 0;              // 0: any
  bool any_address = false;  // all of 127.0.0.0/8 instead of 127.0.0.1
  int threads = 1;
  const Certificate* certificate = nullptr;  // with one: TLS
  std::string client_ca = {};                // PEM file: a client certificate is required
  std::chrono::milliseconds idle_close{0};   // closes connections that are idle for so long; 0: never
  int requests_per_connection = 0;           // then it closes, with Connection: close; 0: never
  std::chrono::microseconds delay{0};        // before each response
  std::string more_fields = {};              // "Keep-Alive: timeout=5\r\n"
  std::string body = {};                     // of every response; empty: the request's target
};

class CountingServer {
 public:
  explicit CountingServer(const CountingOptions& options = {});
  ~CountingServer();
  CountingServer(const CountingServer&) = delete;
  CountingServer& operator=(const CountingServer&) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "/") const { return url("127.0.0.1", path); }
  std::string url(std::string_view host, std::string_view path) const;

  std::int64_t accepts() const { return accepts_; }
  std::int64_t requests() const { return requests_; }
  std::int64_t open() const { return open_; }
  std::int64_t most_open() const { return most_open_; }
  void reset_most_open() { most_open_ = open_.load(); }
  // From now on. Takes effect at each connection's next idle time.
  void set_idle_close(std::chrono::milliseconds limit) { idle_close_ms_ = limit.count(); }
  // All that are idle now, at once.
  void close_idle_now() { ++close_round_; }

 private:
  class Worker;

  CountingOptions options_;
  int port_ = 0;
  int listening_ = -1;
  void* tls_ = nullptr;  // SSL_CTX
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> accepts_{0};
  std::atomic<std::int64_t> requests_{0};
  std::atomic<std::int64_t> open_{0};
  std::atomic<std::int64_t> most_open_{0};
  std::atomic<std::int64_t> idle_close_ms_{0};
  std::atomic<int> close_round_{0};
  std::vector<std::thread> threads_;
};

}  // namespace trunkline::test
