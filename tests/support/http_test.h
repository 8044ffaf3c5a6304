// The fixture of the tests that go through the public API. Whatever a test does, at its end the counters must add up,
// agree with what the servers counted, and nothing may be left behind.
//
//   class MyTest : public HttpTest {};
//   TEST_F(MyTest, reuses_a_connection) {
//     Listener& server = serve();
//     const Client client = make_client();
//     ASSERT_STATUS(client.get(server.url()), 200);
//   }
#pragma once

#include <gtest/gtest.h>

#include <trunkline/trunkline.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/counting_server.h"
#include "support/faultd.h"
#include "support/h2_server.h"

namespace trunkline::test {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// How much of the long forms to run: fewer rounds where every instruction is watched, all with TRUNKLINE_FULL=1, and
// the very long ones then where no sanitizer watches.
bool full_run();
bool sanitized();
// `usual`, or less under sanitizers.
int scaled(int usual, int under_sanitizers);
// A time that the test keeps to, in milliseconds: always longer under sanitizers.
milliseconds slowed(int usual, int under_sanitizers);

// True as soon as `holds` is, false when half a minute was not enough.
bool eventually(const std::function<bool()>& holds);

// Defaults, and a bound on the whole call, so that a lost wake-up fails a test instead of hanging it.
Options test_options();
// The same, trusting authority().
Options tls_options();

std::string describe(const Error& error);
template <class T>
std::string describe(const Result<T>& result) {
  return result ? "a result" : describe(result.error());
}

class HttpTest : public ::testing::Test {
 public:
  // A server of its own for this test: one that misbehaves, one that counts and is fast, or one that speaks HTTP/2.
  Listener& serve(const Serve& how = {});
  CountingServer& count(const CountingOptions& options = {});
  H2Server& serve_h2(const H2Options& options = {});
  // A pool of its own, looked at when the test ends.
  std::shared_ptr<Transport> make_transport(const Options& options = test_options());
  std::shared_ptr<Transport> shared_transport(const Options& options = test_options());
  Client make_client(const Options& options = test_options()) { return Client(make_transport(options)); }
  std::shared_ptr<Transport> transport() const { return transports_.back().transport; }  // the one made last
  Stats stats() const { return transport()->stats(); }
  // So many connections were closed for that reason, or soon are: a server sees the end before it is counted here.
  ::testing::AssertionResult closed_for(CloseReason reason, std::uint64_t count) const;

 protected:
  void TearDown() override;
  // The client meant what it sent; off where a test makes requests break off.
  void allow_malformed_requests() { allow_malformed_ = true; }
  // Others dial this server: its accepts are not ours.
  template <class Server>
  void do_not_compare(const Server& server) {
    not_ours_.insert(server.port());
  }
  // Of this route (by port) over all transports of the test.
  PoolCounters route_counters(int port) const;

 private:
  struct Made {
    std::shared_ptr<Transport> transport;
    bool shared = false;
  };
  void expect_quiet_counters();
  void expect_agreement(int port, const std::function<std::int64_t()>& accepts,
                        const std::function<std::int64_t()>& open);
  void expect_well_formed(const Listener& server);
  // All kinds of servers that count by themselves.
  template <class Action>
  void for_each_counting(Action action) {
    for (const CountingServer& server : counting_) action(server);
    for (const H2Server& server : h2_) action(server);
  }

  std::deque<Listener> listeners_;
  std::deque<CountingServer> counting_;
  std::deque<H2Server> h2_;
  std::vector<Made> transports_;
  std::set<int> not_ours_;
  bool allow_malformed_ = false;
};

RouteStats route_of(const Stats& stats, int port);  // empty when there is none
std::string brief(const Stats& stats);              // on one line, without routes

template <class Enum, std::size_t N>
std::uint64_t count_of(const std::array<std::uint64_t, N>& counters, Enum which) {
  return counters[static_cast<std::size_t>(which)];
}

// work(0), work(1), ... on threads of their own, until all are done.
void on_threads(int count, const std::function<void(int)>& work);
// Lets held requests go while the loop is busy: what they say and the end of the connection are there at once when it
// looks again. False: the connections did not end.
[[nodiscard]] bool release_behind_the_loop(const Client& client, const Listener& server);

// A call that runs on a thread of its own.
template <class Function>
auto in_background(Function function) {
  return std::async(std::launch::async, std::move(function));
}

// A body in pieces of which the test decides: pull by pull.
class ScriptedSource : public BodySource {
 public:
  std::function<Pull(std::span<char>, Callback<void()>)> on_pull;
  std::optional<std::uint64_t> declared;
  std::function<bool()> on_rewind;
  Headers at_end;

  std::optional<std::uint64_t> length() const override { return declared; }
  Pull pull(std::span<char> into, Callback<void()> resume) override { return on_pull(into, std::move(resume)); }
  bool rewind() override { return on_rewind && on_rewind(); }
  Headers trailers() override { return at_end; }
};

// `size` bytes of pattern(), counting how many were taken.
class PatternSource : public BodySource {
 public:
  PatternSource(std::uint64_t size, bool say_length) : size_(size), say_length_(say_length) {}
  std::optional<std::uint64_t> length() const override {
    return say_length_ ? std::optional<std::uint64_t>(size_) : std::nullopt;
  }
  Pull pull(std::span<char> into, Callback<void()> resume) override;
  bool rewind() override {
    taken_ = 0;
    ++rewinds;
    return true;
  }
  std::uint64_t taken() const { return taken_; }
  std::atomic<int> rewinds{0};

 private:
  std::uint64_t size_;
  bool say_length_;
  std::atomic<std::uint64_t> taken_{0};
};

template <class T>
::testing::AssertionResult is_good(const Result<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << describe(result.error());
}
template <class T>
::testing::AssertionResult has_status(const Result<T>& result, int status) {
  if (!result) return is_good(result);
  if (result.value().status == status) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "the status is " << result.value().status << " instead of " << status;
}
template <class T>
::testing::AssertionResult fails_with(const Result<T>& result, ErrorCode code) {
  if (result) return ::testing::AssertionFailure() << "it succeeded instead of failing with " << to_string(code);
  const Error& error = result.error();
  if (error.code == code && error.kind == kind_of(code) && !error.message.empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "it failed otherwise than with " << to_string(code) << ": "
                                       << describe(error);
}

}  // namespace trunkline::test

// These show the error where there is one.
#define ASSERT_GOOD(result) ASSERT_TRUE(::trunkline::test::is_good(result))
#define EXPECT_GOOD(result) EXPECT_TRUE(::trunkline::test::is_good(result))
#define ASSERT_STATUS(result, expected) ASSERT_TRUE(::trunkline::test::has_status(result, expected))
#define EXPECT_STATUS(result, expected) EXPECT_TRUE(::trunkline::test::has_status(result, expected))
#define EXPECT_FAILS(result, code) EXPECT_TRUE(::trunkline::test::fails_with(result, code))
#define ASSERT_FAILS(result, code) ASSERT_TRUE(::trunkline::test::fails_with(result, code))
