// Trunkline under the bench's command line.
//   callback           all requests on the loops, each started from the completion of the one before
//   blocking           CONCURRENCY threads that call Client::send
//   recreate           blocking; options and Client are built anew for each request and get the shared transport
//   recreate-callback  the same from completions
//   isolated           blocking; a transport of its own for each request: the mistake that sharing prevents
//   idle               TOTAL idle connections, and the memory they take
// Environment: CA, CERT, KEY (files), BODY, WARM, HOLD; OPEN (connections per host; default CONCURRENCY), IDLE_MS
// (how long they stay idle); H2C=1: HTTP/2 with prior knowledge; DECOMPRESS=1: coded bodies are asked for; UNREAD=url:
// a response from there stays open and unread beside the requests; APART=n: callback's chains are spread over n
// transports and stay there, so that with OPEN=1 there are exactly n connections with an even share of them each;
// TARGETS=n as in measure.h; DEFAULTS=1 leaves the limits at the library's own; STATS=1 prints the counters on stderr.
#include <malloc.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include <trunkline/trunkline.hpp>

#include "client/engine.h"
#include "measure.h"

namespace {

using bench::Arguments;
using bench::Clock;
using bench::Samples;
using trunkline::Client;
using trunkline::Options;
using trunkline::Request;
using trunkline::Response;
using trunkline::Result;
using trunkline::Transport;

// Read from the environment once; `options` builds from it what a caller would build: strings, limits, no handles.
struct Settings {
  std::vector<std::string> urls;
  std::string body, ca, certificate, key;
  bool keep_defaults = false;
  bool fresh_connections = false;
  bool h2c = false;
  bool decompress = false;  // nor do most peers ask for coded bodies
  int open = 0;
  std::chrono::milliseconds idle{0};

  explicit Settings(const Arguments& arguments)
      : urls(bench::target_urls(arguments.url)),
        body(bench::request_body()),
        ca(bench::setting("CA")),
        certificate(bench::setting("CERT")),
        key(bench::setting("KEY")),
        keep_defaults(bench::setting("DEFAULTS", 0) != 0),
        h2c(bench::setting("H2C", 0) != 0),
        decompress(bench::setting("DECOMPRESS", 0) != 0),
        open(static_cast<int>(bench::setting("OPEN", arguments.concurrency))),
        idle(bench::setting("IDLE_MS", 0)) {}

  Options options() const {
    Options options;
    options.tls.ca_file = ca;
    options.tls.certificate_file = certificate;
    options.tls.key_file = key;
    options.decompress = decompress;
    if (h2c) options.protocol = trunkline::Protocol::h2c;
    if (idle.count() > 0) options.limits.idle_timeout = idle;
    if (keep_defaults) return options;
    options.limits.open_per_host = options.limits.idle_per_host = open;
    const int kept =
        urls.size() > 1 ? static_cast<int>(urls.size()) : open;  // a connection for each target, or all of one
    options.limits.idle_total = std::max(options.limits.idle_total, kept);
    options.limits.queue_per_host = std::max(options.limits.queue_per_host, open);
    options.limits.requests_per_connection = 0;  // the peers have no such limit either, and dials are compared
    return options;
  }
  Request request(long number) const {
    const std::string& url = urls[static_cast<std::size_t>(number) % urls.size()];
    Request request = body.empty() ? trunkline::get(url) : trunkline::post(url, body);
    request.fresh_connection(fresh_connections);
    return request;
  }
};

bool is_good(const Result<Response>& result) {
  static std::atomic<bool> told{false};
  if (result && result->status == 200) return true;
  if (!told.exchange(true)) {
    const std::string what = result ? "status " + std::to_string(result->status) : result.error().describe();
    std::fprintf(stderr, "first failure: %s\n", what.c_str());
  }
  return false;
}

// CONCURRENCY threads; each asks `client_for_request`, with its own number, for its client every time.
template <class ClientForRequest>
long run_blocking(const Settings& settings, long concurrency, Samples& samples, ClientForRequest client_for_request) {
  std::atomic<long> next{0}, errors{0};
  std::vector<std::thread> callers;
  for (long i = 0; i < concurrency; ++i) {
    callers.emplace_back([&, i] {
      for (long request; (request = next.fetch_add(1, std::memory_order_relaxed)) < samples.total();) {
        const auto started = Clock::now();
        decltype(auto) client = client_for_request(i);
        if (!is_good(client.send(settings.request(request)))) ++errors;
        samples.set(request, started);
      }
    });
  }
  for (auto& caller : callers) caller.join();
  return errors;
}

// CONCURRENCY chains of completions, on whichever loops the library has.
template <class ClientForRequest>
class Chains {
 public:
  Chains(const Settings& settings, Samples& samples, ClientForRequest client_for_request)
      : settings_(settings), samples_(samples), client_for_request_(client_for_request) {}

  long run(long concurrency) {
    for (long chain = 0; chain < concurrency; ++chain) start_next(chain);
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return done_; });
    return errors_;
  }

 private:
  void start_next(long chain) {
    const long request = next_.fetch_add(1, std::memory_order_relaxed);
    if (request >= samples_.total()) return;
    decltype(auto) client = client_for_request_(chain);
    client.start(settings_.request(request), [=, this, started = Clock::now()](const Result<Response>& result) {
      if (!is_good(result)) errors_.fetch_add(1, std::memory_order_relaxed);
      samples_.set(request, started);
      start_next(chain);
      if (completed_.fetch_add(1, std::memory_order_acq_rel) + 1 == samples_.total()) finish();
    });
  }

  void finish() {
    const std::lock_guard lock(mutex_);  // held while notifying: the waiter destroys this object
    done_ = true;
    all_done_.notify_one();
  }

  const Settings& settings_;
  Samples& samples_;
  ClientForRequest client_for_request_;
  std::atomic<long> next_{0}, completed_{0}, errors_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
  bool done_ = false;
};

template <class ClientForRequest>
long run_chains(const Settings& settings, long concurrency, Samples& samples, ClientForRequest client_for_request) {
  return Chains<ClientForRequest>(settings, samples, client_for_request).run(concurrency);
}

// A response that its reader has forgotten: the server sends until the windows are full, and waits.
std::optional<trunkline::ResponseStream> open_unread(const Client& client, const std::string& url) {
  if (url.empty()) return std::nullopt;
  auto opened = client.open(trunkline::get(url));
  if (!opened || opened->status() != 200) {
    std::fprintf(stderr, "UNREAD: %s\n", opened ? "not status 200" : opened.error().describe().c_str());
    std::exit(1);
  }
  return std::move(*opened);
}

// It must have waited, and not have been given up: more than the windows held is still to be had.
void check_unread(std::optional<trunkline::ResponseStream>& stream, const Options& options) {
  if (!stream) return;
  char buffer[16 * 1024];
  for (std::size_t taken = 0; taken < 2 * options.http2.connection_window;) {
    const auto got = stream->read(buffer);
    if (!got || *got == 0) {
      std::fprintf(stderr, "UNREAD: lost after %zu bytes: %s\n", taken, got ? "end" : got.error().describe().c_str());
      std::exit(1);
    }
    taken += *got;
  }
}

// The counters must add up here too.
void show_stats(const Transport& transport) {
  const trunkline::Stats stats = transport.stats();
  if (bench::setting("STATS", 0) != 0) std::fprintf(stderr, "%s\n", stats.to_json().c_str());
  if (const std::string law = stats.broken_law(); !law.empty()) std::fprintf(stderr, "broken law: %s\n", law.c_str());
}

// Opens `total` connections and lets them go idle. Requests before the first reading pay for what there is once, such
// as loops, threads and the TLS context.
void measure_idle(Settings settings, long total) {
  constexpr int callers = 4, spare = 64;  // two callers may dial where one would do
  // A library leaves most of RLIMIT_NOFILE to its process: a quarter is its own. This process has no other use for it.
  trunkline::Engine::instance().budget().set_limit(total + spare);
  settings.open = static_cast<int>(total) + spare;
  const auto transport = Transport::shared(settings.options());
  const Client client(transport);
  const auto same = [&](long) -> const Client& { return client; };
  Samples warm(1000), samples(total);
  long errors = run_blocking(settings, callers, warm, same);
  const long idle_before = transport->stats().pool.idle, before_kb = bench::resident_kb();
  settings.fresh_connections = true;
  errors += run_blocking(settings, callers, samples, same);
  const auto added = [&] { return transport->stats().pool.idle - idle_before; };
  for (int tries = 0; added() < total && tries < 50; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const long after_kb = bench::resident_kb();
  malloc_trim(0);
  bench::print_memory(added(), errors, before_kb, after_kb, bench::resident_kb());
  show_stats(*transport);
}

}  // namespace

int main(int argc, char** argv) {
  const char* modes = "callback blocking recreate recreate-callback isolated idle";
  const Arguments arguments = bench::parse_arguments(argc, argv, modes);
  const Settings settings(arguments);
  const auto transport = Transport::shared(settings.options());
  const Client client(transport);
  const auto same = [&](long) -> const Client& { return client; };
  const auto shared = [&](long) { return Client(settings.options()); };
  const auto isolated = [&](long) { return Client(Transport::create(settings.options())); };
  auto unread = open_unread(client, bench::setting("UNREAD"));
  const auto measure = [&](auto run, auto client_for_request) {
    bench::measure(arguments.total,
                   [&](Samples& samples) { return run(settings, arguments.concurrency, samples, client_for_request); });
  };
  if (const long apart = bench::setting("APART", 1); apart > 1 && arguments.mode == "callback") {
    std::vector<Client> clients;
    for (long i = 0; i < apart; ++i) clients.emplace_back(Transport::create(settings.options()));
    measure([](auto&&... a) { return run_chains(a...); },
            [&](long chain) -> const Client& { return clients[static_cast<std::size_t>(chain % apart)]; });
    return bench::hold(), 0;
  }
  if (arguments.mode == "callback") {
    measure([](auto&&... a) { return run_chains(a...); }, same);
  } else if (arguments.mode == "blocking") {
    measure([](auto&&... a) { return run_blocking(a...); }, same);
  } else if (arguments.mode == "recreate") {
    measure([](auto&&... a) { return run_blocking(a...); }, shared);
  } else if (arguments.mode == "recreate-callback") {
    measure([](auto&&... a) { return run_chains(a...); }, shared);
  } else if (arguments.mode == "isolated") {
    measure([](auto&&... a) { return run_blocking(a...); }, isolated);
  } else if (arguments.mode == "idle") {
    measure_idle(settings, arguments.total);
  } else {
    std::fprintf(stderr, "no mode %s; there is: %s\n", arguments.mode.c_str(), modes);
    return 2;
  }
  if (arguments.mode != "idle") show_stats(*transport);
  bench::hold();
  check_unread(unread, transport->options());
}
