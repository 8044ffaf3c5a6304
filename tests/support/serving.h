// The fixture of the server's tests. Whatever a test does, at its end the server's gauges must add up and come to rest.
//
//   class MyTest : public ServingTest {};
//   TEST_F(MyTest, answers) {
//     Server& server = serve([](Request, Exchange exchange) { exchange.respond({200, "text/plain", "hello"}); });
//     EXPECT_EQ(Raw(port()).ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ...);
//   }
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "net/peers.h"
#include "server/router.h"
#include "server/server.h"
#include "support/http_test.h"

namespace trunkline::test {

// A client that says what the test says, byte for byte.
class Raw {
 public:
  explicit Raw(int port, int buffer_bytes = 0);

  Raw& send(std::string_view bytes);
  // All that comes until the server closes; "..., then reset" is added for a reset.
  std::string rest();
  // Until `end` has come, with it. What comes behind it is kept for the next.
  std::string until(std::string_view end);
  // One response: the head, and as much body as its Content-Length says.
  std::string response();
  std::string ask(std::string_view request) { return send(request).response(); }
  void finish() const;  // sends nothing more
  void reset() { socket_.reset(); }
  int fd() const { return socket_.fd(); }

 private:
  bool more();

  net::peers::Socket socket_;
  std::string kept_;
  bool was_reset_ = false;
};

int status_of(std::string_view response);        // 0 when there is none
std::string body_of(std::string_view response);  // what is behind the head
std::string field_of(std::string_view response, std::string_view name);

class ServingTest : public ::testing::Test {
 protected:
  // On 127.0.0.1 at a free port, with two loops, unless the settings say otherwise.
  server::Server& serve(server::Handler handler, server::Settings settings = quick());
  server::Server& serve(server::Router router, server::Settings settings = quick());
  static server::Settings quick();
  // With https at the test authority's certificate.
  static server::Settings secure();

  server::Server& server() { return *server_; }
  int port() const;
  std::string url(std::string_view path = "/") const;
  server::Gauges gauges() const { return server_->gauges(); }
  // So many connections have ended for that reason, or soon have.
  ::testing::AssertionResult ended_for(server::ConnectionEnd reason, std::uint64_t count) const;
  // Returns when Timeouts::header, counted from now, has run out by the server's own clock. With one loop, whatever had
  // its time limit before that has met it too: a limit that must not strike has had its chance.
  ::testing::AssertionResult header_time_runs_out() const;
  // Nothing is open, or soon will be.
  ::testing::AssertionResult at_rest() const;

  void TearDown() override;

 private:
  bool secure_ = false;
  std::unique_ptr<server::Server> server_;
};

}  // namespace trunkline::test
