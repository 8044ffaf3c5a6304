// Trunkline's WebSockets under the bench's command line.
//   callback  CONCURRENCY WebSockets, on each one message under way; the next is sent where its echo is received
//   blocking  CONCURRENCY threads with a WebSocket each, that send and receive
//   idle      TOTAL WebSockets that wait for a message, and the memory they take
// Environment: SIZE (64), bytes of a message; WARM, HOLD; STATS=1 prints what malloc has given out on stderr.
#include <malloc.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <trunkline/trunkline.hpp>

#include "client/engine.h"
#include "measure.h"

namespace {

using bench::Clock;
using bench::Samples;
using trunkline::Client;
using trunkline::Options;
using trunkline::Result;
using trunkline::WebSocket;
using trunkline::WebSocketMessage;

Client client_for(long connections) {
  // A library leaves most of RLIMIT_NOFILE to its process. This process has no other use for it.
  constexpr int spare = 64;
  trunkline::Engine::instance().budget().set_limit(connections + spare);
  Options options;
  options.limits.open_per_host = static_cast<int>(connections) + spare;
  return Client(trunkline::Transport::shared(options));
}

WebSocket opened(const Client& client, const std::string& url) {
  Result<WebSocket> socket = client.connect_websocket(trunkline::get(url));
  if (socket) return std::move(*socket);
  std::fprintf(stderr, "%s\n", socket.error().describe().c_str());
  std::exit(1);
}

bool is_echo(const Result<WebSocketMessage>& got, const std::string& message) {
  if (got && got->kind == WebSocketMessage::binary && got->data.size() == message.size()) return true;
  static std::atomic<bool> told{false};
  if (!told.exchange(true)) {
    std::fprintf(stderr, "first failure: %s\n", got ? "not the echo" : got.error().describe().c_str());
  }
  return false;
}

// Messages that are answered by messages, on the library's loop.
class Echoes {
 public:
  Echoes(std::vector<WebSocket>& sockets, const std::string& message, Samples& samples)
      : sockets_(sockets), message_(message), samples_(samples) {}

  long run() {
    for (WebSocket& socket : sockets_) send_next(socket);
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return done_; });
    return errors_;
  }

 private:
  void send_next(WebSocket& socket) {
    const long number = next_.fetch_add(1, std::memory_order_relaxed);
    if (number >= samples_.total()) return;
    const auto started = Clock::now();
    if (!socket.send_binary(message_)) errors_.fetch_add(1, std::memory_order_relaxed);
    socket.start_receive([this, &socket, number, started](const Result<WebSocketMessage>& got) {
      if (!is_echo(got, message_)) errors_.fetch_add(1, std::memory_order_relaxed);
      samples_.set(number, started);
      send_next(socket);
      if (completed_.fetch_add(1, std::memory_order_acq_rel) + 1 == samples_.total()) finish();
    });
  }
  void finish() {
    const std::lock_guard lock(mutex_);  // held while notifying: the waiter destroys this object
    done_ = true;
    all_done_.notify_one();
  }

  std::vector<WebSocket>& sockets_;
  const std::string& message_;
  Samples& samples_;
  std::atomic<long> next_{0}, completed_{0}, errors_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
  bool done_ = false;
};

long run_blocking(std::vector<WebSocket>& sockets, const std::string& message, Samples& samples) {
  std::atomic<long> next{0}, errors{0};
  std::vector<std::thread> callers;
  for (WebSocket& socket : sockets) {
    callers.emplace_back([&] {
      for (long number; (number = next.fetch_add(1, std::memory_order_relaxed)) < samples.total();) {
        const auto started = Clock::now();
        if (!socket.send_binary(message) || !is_echo(socket.receive(), message)) ++errors;
        samples.set(number, started);
      }
    });
  }
  for (auto& caller : callers) caller.join();
  return errors;
}

// Those opened before the first reading pay for what there is once, such as loops and threads.
void measure_idle(const std::string& url, long total) {
  constexpr long warm = 100;
  const Client client = client_for(total + warm);
  std::vector<WebSocket> sockets;
  sockets.reserve(static_cast<std::size_t>(total + warm));
  const auto open = [&](long count) {
    for (long i = 0; i < count; ++i) {
      sockets.push_back(opened(client, url));
      sockets.back().start_receive([](const Result<WebSocketMessage>&) {});
    }
  };
  open(warm);
  const long before_kb = bench::resident_kb();
  const std::size_t before = mallinfo2().uordblks;
  open(total);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the loop's part of it
  const long after_kb = bench::resident_kb();
  const std::size_t after = mallinfo2().uordblks;
  malloc_trim(0);
  bench::print_memory(total, 0, before_kb, after_kb, bench::resident_kb());
  if (bench::setting("STATS", 0) != 0) {
    std::fprintf(stderr, "from malloc, per connection: %zu bytes\n",
                 (after - before) / static_cast<std::size_t>(total));
  }
  bench::hold();
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments = bench::parse_arguments(argc, argv, "callback blocking idle");
  if (arguments.mode == "idle") return measure_idle(arguments.url, arguments.total), 0;
  const std::string message(static_cast<std::size_t>(bench::setting("SIZE", 64)), 'x');
  const Client client = client_for(arguments.concurrency);
  std::vector<WebSocket> sockets;
  for (long i = 0; i < arguments.concurrency; ++i) sockets.push_back(opened(client, arguments.url));
  bench::measure(arguments.total, [&](Samples& samples) {
    return arguments.mode == "blocking" ? run_blocking(sockets, message, samples)
                                        : Echoes(sockets, message, samples).run();
  });
  bench::hold();
}
