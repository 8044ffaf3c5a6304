// A machine that runs out of ephemeral ports (F1, S4), in a network namespace that has just 100 of them.
#include <thread>

#include "support/counting_server.h"
#include "support/http_test.h"
#include "support/namespace.h"

namespace trunkline::test {
namespace {

constexpr const char* hundred_ports = "echo '40000 40099' >/proc/sys/net/ipv4/ip_local_port_range";
constexpr int server_port = 20000;  // outside of that range; nobody else is in here

class PortsTest : public HttpTest {};

// `total` calls, `concurrency` at a time, each started by the one before.
struct Volley {
  Client client;
  std::string url;
  std::atomic<int> left;
  std::atomic<int> good{0};
  std::atomic<int> running{0};

  Volley(Client with, std::string target, int total) : client(std::move(with)), url(std::move(target)), left(total) {}
  void next() {
    if (left-- <= 0) {
      --running;
      return;
    }
    client.start(get(url), [this](const Result<Response>& reply) {
      if (reply) {
        ++good;
      } else if (left.exchange(0) > 0) {
        ADD_FAILURE() << describe(reply);
      }
      next();
    });
  }
  void run(int concurrency) {
    running = concurrency;
    for (int i = 0; i < concurrency; ++i) next();
    while (running > 0) std::this_thread::sleep_for(milliseconds(5));
  }
};

TEST_F(PortsTest, F1_a_hundred_ports_carry_a_hundred_thousand_requests) {
  if (!inside_namespace(hundred_ports)) return;
  const CountingServer server({.port = server_port});
  const int total = scaled(100'000, 10'000);
  Volley volley(Client(Transport::shared(test_options())), server.url(), total);
  volley.run(64);
  EXPECT_EQ(volley.good, total);
  EXPECT_EQ(server.requests(), total);
  EXPECT_LE(server.accepts(), 64);
  EXPECT_EQ(shared_transport(test_options())->stats().broken_law(), "");
}

TEST_F(PortsTest, F1_without_reuse_the_caller_gets_typed_errors_with_advice_and_the_process_recovers) {
  if (!inside_namespace(hundred_ports)) return;
  const CountingServer server({.port = server_port});
  std::mutex mutex;
  std::map<std::string, int> failures;
  std::string advice;
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const Result<Response> reply = Client(Transport::create(test_options())).get(server.url());
        std::lock_guard lock(mutex);
        if (reply) {
          ++good;
        } else {
          ++failures[std::string(to_string(reply.error().code))];
          EXPECT_EQ(reply.error().kind, ErrorKind::overloaded) << describe(reply);
          EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
          if (reply.error().code == ErrorCode::no_ports) advice = reply.error().message;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(good, 0);
  EXPECT_GT(failures["no_ports"], 0) << "good: " << good;
  EXPECT_NE(advice.find("port"), std::string::npos) << advice;
  EXPECT_TRUE(advice.find("reuse") != std::string::npos || advice.find("shared") != std::string::npos) << advice;
  for (const auto& [code, count] : failures) {
    EXPECT_TRUE(code == "no_ports" || code == "no_sockets") << code << ": " << count;
  }
  // By itself, as soon as the kernel gives ports back: one shared transport needs just one.
  const Client client(Transport::shared(test_options()));
  EXPECT_TRUE(eventually([&] { return client.get(server.url()).has_value(); }));
  for (int i = 0; i < 100; ++i) EXPECT_STATUS(client.get(server.url()), 200);
}

TEST_F(PortsTest, F1_a_transport_that_dials_for_every_request_is_paused_and_goes_on) {
  if (!inside_namespace(hundred_ports)) return;
  const CountingServer server({.port = server_port});
  const Client client = make_client();
  int good = 0;
  int exhausted = 0;
  for (int i = 0; i < 400; ++i) {
    const Result<Response> reply = client.send(get(server.url()).fresh_connection().header("Connection", "close"));
    if (reply) {
      ++good;
    } else {
      EXPECT_EQ(reply.error().kind, ErrorKind::overloaded) << describe(reply);
      ++exhausted;
    }
  }
  EXPECT_GT(good, 50);
  // A pause, not a busy loop: the kernel was not asked in vain for every call.
  EXPECT_LE(stats().pool.dials_failed, 50U) << exhausted;
  EXPECT_TRUE(eventually([&] { return client.get(server.url()).has_value(); }));
}

}  // namespace
}  // namespace trunkline::test
