#include "support/http_test.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <thread>

namespace trunkline::test {

namespace {

bool full_wanted() {
  static const char* const wanted = std::getenv("TRUNKLINE_FULL");
  return wanted != nullptr && *wanted != '\0' && *wanted != '0';
}

}  // namespace

bool sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

bool full_run() { return full_wanted() && !sanitized(); }

int scaled(int usual, int under_sanitizers) { return sanitized() && !full_wanted() ? under_sanitizers : usual; }

milliseconds slowed(int usual, int under_sanitizers) { return milliseconds(sanitized() ? under_sanitizers : usual); }

bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

Options test_options() {
  Options options;
  options.timeouts.total = seconds(45);
  return options;
}

Options tls_options() {
  return test_options().derive([](Options& o) { o.tls.ca_file = authority().file(); });
}

std::string describe(const Error& error) {
  return error.describe() + " (maybe processed: " + std::string(to_string(error.maybe_processed)) + ")";
}

RouteStats route_of(const Stats& stats, int port) {
  const std::string ending = ":" + std::to_string(port);
  for (const RouteStats& route : stats.routes) {
    const std::string name = route.route.substr(0, route.route.find(' '));
    if (name.ends_with(ending)) return route;
  }
  return {};
}

std::string brief(const Stats& stats) {
  Stats without_routes = stats;
  without_routes.routes.clear();
  return without_routes.broken_law() + " " + without_routes.to_json();
}

Listener& HttpTest::serve(const Serve& how) { return listeners_.emplace_back(how); }
CountingServer& HttpTest::count(const CountingOptions& options) { return counting_.emplace_back(options); }
H2Server& HttpTest::serve_h2(const H2Options& options) { return h2_.emplace_back(options); }

std::shared_ptr<Transport> HttpTest::make_transport(const Options& options) {
  return transports_.emplace_back(Made{Transport::create(options), false}).transport;
}

std::shared_ptr<Transport> HttpTest::shared_transport(const Options& options) {
  return transports_.emplace_back(Made{Transport::shared(options), true}).transport;
}

PoolCounters HttpTest::route_counters(int port) const {
  const std::string here = ":" + std::to_string(port);
  PoolCounters sum;
  bool shared_counted = false;  // all shared transports have one pool
  for (const Made& made : transports_) {
    if (made.shared && std::exchange(shared_counted, true)) continue;
    for (const RouteStats& route : made.transport->stats().routes) {
      // "http://h:1" and "https://h:2 via http://proxy:3": whoever was dialled is the last one.
      if (route.route.ends_with(here)) sum.add(route.counters);
    }
  }
  return sum;
}

void HttpTest::expect_quiet_counters() {
  for (const Made& made : transports_) {
    const auto quiet = [&] {
      const Stats now = made.transport->stats();
      return now.requests.in_flight + now.pool.active + now.pool.waiting + now.pool.dialing + now.pool.draining == 0 &&
             now.pool.open == now.pool.idle + now.pool.upgraded && now.pool.leases == now.pool.upgraded &&
             now.broken_law().empty();
    };
    EXPECT_TRUE(eventually(quiet)) << brief(made.transport->stats());
    // The closed sets of reasons leave nothing out.
    const PoolCounters pool = made.transport->stats().pool;
    const auto sum = [](const auto& reasons) {
      return std::accumulate(reasons.begin(), reasons.end(), std::uint64_t{0});
    };
    EXPECT_EQ(pool.dials_started, sum(pool.dials_by_reason)) << brief(made.transport->stats());
    EXPECT_EQ(pool.granted, pool.reused + sum(pool.misses)) << brief(made.transport->stats());
  }
}

// The server's accepts are the truth. Dials that failed may or may not have come as far as an accept.
void HttpTest::expect_agreement(int port, const std::function<std::int64_t()>& accepts,
                                const std::function<std::int64_t()>& open) {
  if (not_ours_.contains(port)) return;
  const auto counters = [&] { return route_counters(port); };
  const auto succeeded = [&] { return static_cast<std::int64_t>(counters().dials_succeeded); };
  EXPECT_TRUE(eventually([&] { return accepts() >= succeeded(); }))
      << "the client claims " << succeeded() << " dials, the server counts " << accepts();
  EXPECT_LE(accepts(), static_cast<std::int64_t>(counters().dials_started)) << "the client does not know of all dials";
  if (counters().dials_failed == 0) {
    EXPECT_EQ(accepts(), succeeded()) << "accepts and dials differ";
  }
  EXPECT_TRUE(eventually([&] { return open() == counters().open; }))
      << "open sockets: the client says " << counters().open << ", the server " << open();
}

void HttpTest::expect_well_formed(const Listener& server) {
  for (const LoggedRequest& request : server.log().requests) {
    for (const std::string& problem : request.problems) ADD_FAILURE() << problem << " in a request:\n" << request.head;
  }
}

::testing::AssertionResult HttpTest::closed_for(CloseReason reason, std::uint64_t count) const {
  const auto closed = [&] { return stats().pool.closed_by_reason[static_cast<std::size_t>(reason)]; };
  if (eventually([&] { return closed() == count; })) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << to_string(reason) << ": " << closed() << " connections, not " << count;
}

void HttpTest::TearDown() {
  for (const Listener& server : listeners_) server.release();
  expect_quiet_counters();
  for (const Listener& server : listeners_) {
    expect_agreement(server.port(), [&] { return server.log().accepts; }, [&] { return server.log().open; });
    if (!allow_malformed_) expect_well_formed(server);
  }
  for_each_counting([this](const auto& server) {
    expect_agreement(server.port(), [&] { return server.accepts(); }, [&] { return server.open(); });
  });
  // The last handle closes what it held.
  const bool any_shared =
      std::any_of(transports_.begin(), transports_.end(), [](const Made& made) { return made.shared; });
  transports_.clear();
  if (any_shared) return;
  for (const Listener& server : listeners_) {
    EXPECT_TRUE(not_ours_.contains(server.port()) || server.wait_for_exactly("open", 0))
        << "connections outlive their transport: " << server.log().open;
  }
  for_each_counting([this](const auto& server) {
    EXPECT_TRUE(not_ours_.contains(server.port()) || eventually([&] { return server.open() == 0; }))
        << "connections outlive their transport: " << server.open();
  });
}

void on_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&work, t] { work(t); });
  for (std::thread& thread : threads) thread.join();
}

bool release_behind_the_loop(const Client& client, const Listener& server) {
  std::promise<bool> ended;
  client.start(get("http://127.0.0.1:1/"), [&](const Result<Response>&) {
    server.release();
    ended.set_value(server.wait_for_exactly("open", 0));
  });
  return ended.get_future().get();
}

BodySource::Pull PatternSource::pull(std::span<char> into, Callback<void()>) {
  static const std::string bytes = pattern(1 << 16);
  const std::uint64_t at = taken_;
  if (at == size_) return {.kind = Pull::end};
  const std::size_t offset = at % 64;
  const std::size_t size = std::min({into.size(), bytes.size() - offset, static_cast<std::size_t>(size_ - at)});
  std::copy_n(bytes.data() + offset, size, into.data());
  taken_ = at + size;
  return {.kind = Pull::bytes, .size = size};
}

}  // namespace trunkline::test
