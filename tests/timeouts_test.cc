// The nine time limits, each apart from the others: the error says which one passed, in which phase, and whether the
// server may have acted. F19 is the dial's phases.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "support/http_test.h"
#include "support/namespace.h"

namespace trunkline::test {
namespace {

constexpr auto brief = milliseconds(80);

class TimeoutsTest : public HttpTest {
 protected:
  template <class Set>
  static Options with(Set set) {
    Options options = tls_options();
    set(options.timeouts);
    return options;
  }

  // Ends within reason, with that code, in that phase.
  template <class T>
  void expect_timeout(const Result<T>& result, ErrorCode code, Phase phase, MaybeProcessed processed) {
    ASSERT_FAILS(result, code);
    const Error& error = result.error();
    EXPECT_EQ(error.kind, ErrorKind::timed_out);
    EXPECT_EQ(to_string(error.phase), to_string(phase)) << describe(error);
    EXPECT_EQ(to_string(error.maybe_processed), to_string(processed)) << describe(error);
    EXPECT_GE(error.elapsed, brief / 2) << describe(error);
    EXPECT_LT(error.elapsed, seconds(20)) << describe(error);
    EXPECT_FALSE(error.route.empty());
  }
};

TEST_F(TimeoutsTest, queue_bounds_the_wait_for_a_connection) {
  Listener& server = serve();
  const Client client =
      make_client(with([](Timeouts& t) { t.queue = brief; }).derive([](Options& o) { o.limits.open_per_host = 1; }));
  auto busy = in_background([&] { return client.get(server.scenario("hold")); });
  ASSERT_TRUE(server.wait_for("held", 1));
  expect_timeout(client.get(server.url()), ErrorCode::timeout_queue, Phase::queue, MaybeProcessed::no);
  server.release();
  EXPECT_STATUS(busy.get(), 200);
  EXPECT_EQ(server.log().requests.size(), 1U);
}

// The resolver asks a name server that exists and never answers.
TEST_F(TimeoutsTest, resolve_bounds_the_name_server) {
  if (!inside_namespace("f=$(mktemp) && echo 'nameserver 127.0.0.53' >$f && mount --bind $f /etc/resolv.conf && rm $f",
                        true))
    return;
  const int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  address.sin_addr.s_addr = htonl(0x7F000035);
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Client client = make_client(with([](Timeouts& t) { t.resolve = brief; }));
  const Result<Response> reply = client.get("http://name.trunkline.test:80/");
  expect_timeout(reply, ErrorCode::timeout_resolve, Phase::resolve, MaybeProcessed::no);
  close(silent);
}

TEST_F(TimeoutsTest, F19_connect_bounds_the_tcp_handshake) {
  Listener& server = serve({.scenario = "no_accept"});
  const Client client = make_client(with([](Timeouts& t) { t.connect = brief; }));
  // The kernel may still have room for one connection or two.
  for (int i = 0; i < 3; ++i) {
    Timeouts timeouts;
    timeouts.connect = brief;
    timeouts.first_byte = brief;
    const Result<Response> reply = client.send(get(server.url()).fresh_connection().timeouts(timeouts));
    if (!reply && reply.error().code == ErrorCode::timeout_first_byte) continue;
    expect_timeout(reply, ErrorCode::timeout_connect, Phase::connect, MaybeProcessed::no);
    EXPECT_EQ(reply.error().address, "127.0.0.1:" + std::to_string(server.port()));
    return;
  }
  FAIL() << "all connections were accepted";
}

TEST_F(TimeoutsTest, F19_proxy_bounds_the_connect_request) {
  Listener& proxy = serve({.scenario = "proxy", .settings = {{"connect", "tarpit"}}});
  const Client client =
      make_client(with([](Timeouts& t) { t.proxy = brief; }).derive([&](Options& o) { o.proxy = proxy.url(); }));
  expect_timeout(client.get("https://127.0.0.1:1/"), ErrorCode::timeout_proxy, Phase::proxy, MaybeProcessed::no);
  EXPECT_TRUE(proxy.wait_for_exactly("open", 0));
}

TEST_F(TimeoutsTest, F19_tls_bounds_the_handshake) {
  Listener& server = serve({.scenario = "tarpit", .certificate = &server_certificate()});
  const Client client = make_client(with([](Timeouts& t) { t.tls = brief; }));
  expect_timeout(client.get(server.url()), ErrorCode::timeout_tls, Phase::tls, MaybeProcessed::no);
  EXPECT_TRUE(server.wait_for_exactly("open", 0)) << "a dead handshake holds its socket";
}

TEST_F(TimeoutsTest, F19_tls_inside_a_tunnel_is_bounded_too) {
  Listener& server = serve({.scenario = "tarpit", .certificate = &server_certificate()});
  do_not_compare(server);  // the proxy dials it
  Listener& proxy = serve({.scenario = "proxy"});
  const Client client =
      make_client(with([](Timeouts& t) { t.tls = brief; }).derive([&](Options& o) { o.proxy = proxy.url(); }));
  expect_timeout(client.get(server.url()), ErrorCode::timeout_tls, Phase::tls, MaybeProcessed::no);
  EXPECT_TRUE(proxy.wait_for_exactly("open", 0));
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

TEST_F(TimeoutsTest, write_stall_bounds_a_server_that_takes_no_bytes) {
  allow_malformed_requests();
  Listener& server = serve({.settings = {{"receive_buffer", "65536"}}});
  const Client client = make_client(with([](Timeouts& t) { t.write_stall = brief; }));
  const Result<Response> whole = client.post(server.scenario("stop_reading", "read=1000"), std::string(64 << 20, 'b'));
  expect_timeout(whole, ErrorCode::timeout_write, Phase::send, MaybeProcessed::unknown);
  const auto source = std::make_shared<PatternSource>(64 << 20, true);
  const Result<Response> streamed = client.send(
      Request("POST", server.scenario("stop_reading", "read=1000")).body(std::shared_ptr<BodySource>(source)));
  expect_timeout(streamed, ErrorCode::timeout_write, Phase::send, MaybeProcessed::unknown);
}

TEST_F(TimeoutsTest, a_body_source_that_has_nothing_is_no_write_stall) {
  Listener& server = serve();
  const Client client = make_client(with([](Timeouts& t) { t.write_stall = brief; }));
  const auto source = std::make_shared<ScriptedSource>();
  std::future<void> later;
  int pulls = 0;
  source->on_pull = [&](std::span<char>, Callback<void()> resume) -> BodySource::Pull {
    if (++pulls > 1) return {.kind = BodySource::Pull::end};
    later = std::async(std::launch::async, [resume = std::move(resume)]() mutable {
      std::this_thread::sleep_for(5 * brief);
      resume();
    });
    return {.kind = BodySource::Pull::later};
  };
  EXPECT_STATUS(client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source))), 200);
}

TEST_F(TimeoutsTest, first_byte_bounds_a_server_that_thinks) {
  Listener& server = serve();
  const Client client = make_client(with([](Timeouts& t) { t.first_byte = brief; }));
  const Result<Response> reply = client.get(server.scenario("hold"));
  expect_timeout(reply, ErrorCode::timeout_first_byte, Phase::first_byte, MaybeProcessed::unknown);
  EXPECT_TRUE(server.wait_for_exactly("open", 0)) << "its connection must not be used again";
  EXPECT_TRUE(closed_for(CloseReason::request_timeout, 1));
  EXPECT_FAILS(client.open(get(server.scenario("hold"))), ErrorCode::timeout_first_byte);
}

TEST_F(TimeoutsTest, idle_read_bounds_the_silence_within_a_body_and_not_its_length) {
  Listener& server = serve();
  const Client client = make_client(with([](Timeouts& t) { t.idle_read = seconds(2); }));
  EXPECT_STATUS(client.get(server.scenario("trickle", "size=25&gap=0.1")), 200);  // longer than the limit in all
  const Client hasty = make_client(with([](Timeouts& t) { t.idle_read = brief; }));
  const Result<Response> reply = hasty.get(server.scenario("hold", "after=head"));
  expect_timeout(reply, ErrorCode::timeout_idle_read, Phase::body, MaybeProcessed::yes);
  Result<ResponseStream> stream = hasty.open(get(server.scenario("hold", "after=head")));
  ASSERT_GOOD(stream);
  EXPECT_FAILS(stream->read_all(1000), ErrorCode::timeout_idle_read);
}

TEST_F(TimeoutsTest, a_reader_that_takes_its_time_is_no_idle_read) {
  Listener& server = serve();
  const Client client = make_client(with([](Timeouts& t) { t.idle_read = brief; }));
  Result<ResponseStream> stream = client.open(get(server.scenario("big", "size=1000000")));
  ASSERT_GOOD(stream);
  // Meanwhile the same limit strikes where it is the server that takes its time.
  EXPECT_FAILS(client.get(server.scenario("hold", "after=head")), ErrorCode::timeout_idle_read);
  const Result<std::string> all = stream->read_all(1000000);
  ASSERT_GOOD(all);
  EXPECT_EQ(all->size(), 1000000U);
}

TEST_F(TimeoutsTest, total_bounds_the_whole_call_wherever_it_is) {
  Listener& server = serve();
  const Client client = make_client();
  const auto limited = [&](std::string url) { return client.send(get(std::move(url)).total_timeout(brief)); };
  expect_timeout(limited(server.scenario("hold")), ErrorCode::timeout_total, Phase::first_byte,
                 MaybeProcessed::unknown);
  expect_timeout(limited(server.scenario("hold", "after=head")), ErrorCode::timeout_total, Phase::body,
                 MaybeProcessed::yes);
  expect_timeout(limited(server.scenario("trickle", "size=1000&gap=0.02")), ErrorCode::timeout_total, Phase::body,
                 MaybeProcessed::yes);
}

// Every read finds bytes that are here already: no wait in which a limit could run out.
TEST_F(TimeoutsTest, total_bounds_the_reading_of_a_body_that_always_has_more) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.get(server.url()), 200);
  auto stream =
      client.open(get(server.scenario("big", "size=10000000000&coding=chunked")).total_timeout(slowed(500, 3000)));
  ASSERT_TRUE(stream) << describe(stream);
  char byte = 0;
  Result<std::size_t> got = std::size_t{1};
  const auto give_up = std::chrono::steady_clock::now() + seconds(30);
  while (got && *got > 0 && std::chrono::steady_clock::now() < give_up) got = stream->read({&byte, 1});
  ASSERT_FALSE(got) << "it would have gone on for ever";
  EXPECT_EQ(got.error().code, ErrorCode::timeout_total) << describe(got);
}

TEST_F(TimeoutsTest, total_bounds_a_dial_too) {
  Listener& server = serve({.scenario = "tarpit", .certificate = &server_certificate()});
  const Client client = make_client(with([](Timeouts& t) {
    t.total = brief;
    t.tls = milliseconds(600);  // the dial goes on without its caller, and ends by itself
  }));
  const Result<Response> reply = client.get(server.url());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::timed_out) << describe(reply);
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
}

TEST_F(TimeoutsTest, a_requests_own_limits_replace_the_transports) {
  Listener& server = serve();
  const Client client = make_client(with([](Timeouts& t) { t.first_byte = brief; }));
  Timeouts patient;
  patient.first_byte = seconds(30);
  auto call = in_background([&] { return client.send(get(server.scenario("hold")).timeouts(patient)); });
  ASSERT_TRUE(server.wait_for("held", 1));
  // The transport's own limit runs out for one that began later.
  EXPECT_FAILS(client.get(server.scenario("hold")), ErrorCode::timeout_first_byte);
  server.release();
  EXPECT_STATUS(call.get(), 200);
}

TEST_F(TimeoutsTest, limits_of_a_request_that_make_no_sense_are_refused) {
  Listener& server = serve();
  const Client client = make_client();
  EXPECT_FAILS(client.send(get(server.url()).total_timeout(-seconds(1))), ErrorCode::timeout_total);
  EXPECT_FAILS(client.send(get(server.url()).total_timeout(Duration::max())), ErrorCode::invalid_request);
  Timeouts negative;
  negative.first_byte = -seconds(1);
  EXPECT_FAILS(client.send(get(server.url()).timeouts(negative)), ErrorCode::invalid_request);
  EXPECT_STATUS(client.send(get(server.url()).total_timeout(seconds(30))), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(TimeoutsTest, zero_means_no_limit) {
  Listener& server = serve();
  const Client client = make_client(with([](Timeouts& t) {
    t.queue = t.resolve = t.write_stall = t.first_byte = t.idle_read = t.total = Duration::zero();
  }));
  EXPECT_STATUS(client.get(server.url()), 200);
  auto call = in_background([&] { return client.get(server.scenario("hold")); });
  ASSERT_TRUE(server.wait_for("held", 1));
  std::this_thread::sleep_for(brief);
  server.release();
  EXPECT_STATUS(call.get(), 200);
}

TEST_F(TimeoutsTest, the_times_of_a_response_add_up) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Client client = make_client(tls_options());
  const Result<Response> first = client.get(server.scenario("ok", "delay=0.05"));
  ASSERT_STATUS(first, 200);
  EXPECT_GT(first->times.connect, Duration::zero());
  EXPECT_GT(first->times.tls, Duration::zero());
  EXPECT_GE(first->times.queue, first->times.connect + first->times.tls);
  EXPECT_GE(first->times.first_byte, milliseconds(50));
  EXPECT_GE(first->times.total, first->times.first_byte);
  const Result<Response> second = client.get(server.url());
  ASSERT_STATUS(second, 200);
  EXPECT_EQ(second->times.connect, Duration::zero());
  EXPECT_EQ(second->times.tls, Duration::zero());
}

}  // namespace
}  // namespace trunkline::test
