// The library's own show, on loopback: a program that makes its HTTP client anew for every request, as controllers do.
// First with a pool per client (the bug that empties a pod of its ports), then with the shared one.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <trunkline/trunkline.hpp>

namespace {

// Answers every request on every connection, and counts the connections: the server's word, not the client's.
class CountingServer {
 public:
  CountingServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 1024) != 0) {
      std::perror("demo: cannot listen on loopback");
      std::exit(1);
    }
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1/things";
    std::thread([this] { accept_for_ever(); }).detach();
  }

  const std::string& url() const { return url_; }
  int accepted() const { return accepted_; }

 private:
  void accept_for_ever() {
    for (;;) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      ++accepted_;
      std::thread([connection] { serve(connection); }).detach();
    }
  }

  static void serve(int connection) {
    constexpr std::string_view reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    std::string received;
    char buffer[4096];
    for (ssize_t size = 0; (size = read(connection, buffer, sizeof buffer)) > 0;) {
      received.append(buffer, static_cast<std::size_t>(size));
      for (std::size_t end = 0; (end = received.find("\r\n\r\n")) != std::string::npos;) {
        received.erase(0, end + 4);
        if (write(connection, reply.data(), reply.size()) < 0) break;
      }
    }
    close(connection);
  }

  int listener_;
  std::string url_;
  std::atomic<int> accepted_{0};
};

struct Outcome {
  int failed = 0;
  int accepted = 0;
  double seconds = 0;
  trunkline::Stats stats;
};

constexpr int threads = 8;
constexpr int requests_per_thread = 250;

// `make_client` is called for each and every request.
template <class MakeClient>
Outcome reconcile(CountingServer& server, MakeClient make_client) {
  const int accepted_before = server.accepted();
  const auto start = std::chrono::steady_clock::now();
  std::atomic<int> failed{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (int n = 0; n < requests_per_thread; ++n) {
        const trunkline::Client client = make_client();
        const trunkline::Result<trunkline::Response> reply = client.get(server.url());
        if (!reply || reply->status != 200) ++failed;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  Outcome outcome;
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outcome.failed = failed;
  outcome.accepted = server.accepted() - accepted_before;
  return outcome;
}

}  // namespace

int main() {
  CountingServer server;
  const trunkline::Options options = trunkline::Options::standard();
  std::printf("%d requests on %d threads, each through a client made for it alone:\n\n", threads * requests_per_thread,
              threads);

  std::printf("  a pool per client ...\r");
  std::fflush(stdout);
  const Outcome naive = reconcile(server, [&] { return trunkline::Client{trunkline::Transport::create(options)}; });
  std::printf("  the shared pool ...  \r");
  std::fflush(stdout);
  const Outcome shared = reconcile(server, [&] { return trunkline::Client{options}; });
  const trunkline::Stats stats = trunkline::Transport::shared(options)->stats();

  std::printf("  %-20s %12s %12s %10s %12s\n", "", "connections", "requests/s", "failed", "per request");
  for (const auto& [name, outcome] : {std::pair{"a pool per client", &naive}, std::pair{"the shared pool", &shared}}) {
    const int requests = threads * requests_per_thread;
    std::printf("  %-20s %12d %12.0f %10d %9.1f us\n", name, outcome->accepted, requests / outcome->seconds,
                outcome->failed, outcome->seconds * 1e6 / requests * threads);
  }
  std::printf("\nConnections are counted by the server. What the shared pool says of itself:\n\n");
  std::printf("  requests  %llu granted a connection, %llu of them reused one\n",
              static_cast<unsigned long long>(stats.pool.granted), static_cast<unsigned long long>(stats.pool.reused));
  for (int i = 0; i < trunkline::dial_reason_count; ++i) {
    const auto count = stats.pool.dials_by_reason[static_cast<std::size_t>(i)];
    if (count == 0) continue;
    const std::string_view reason = to_string(static_cast<trunkline::DialReason>(i));
    std::printf("  dialled   %llu because: %.*s\n", static_cast<unsigned long long>(count),
                static_cast<int>(reason.size()), reason.data());
  }
  const std::string law = stats.broken_law();
  std::printf("  counters  %s\n\n", law.empty() ? "add up" : law.c_str());

  const bool good = naive.failed == 0 && shared.failed == 0 && shared.accepted <= threads && law.empty();
  std::printf("demo: %s: %d connections became %d\n", good ? "done" : "FAILED", naive.accepted, shared.accepted);
  return good ? 0 : 1;
}
