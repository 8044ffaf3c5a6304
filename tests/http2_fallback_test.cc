// HTTP/2 beside HTTP/1.1: servers that want the one when asked for the other, by ALPN, by RST_STREAM, or by an answer
// that makes no sense. A downgrade happens only where the options allow it.
#include "support/h2_test.h"

namespace trunkline::test {
namespace {

class FallbackTest : public HttpTest {
 protected:
  static Options falling_back(Options options) {
    options.http2.fall_back_to_http1 = true;
    return options;
  }
};

TEST_F(FallbackTest, http_2_only_over_tls_fails_typed_where_there_is_none) {
  for (const std::string alpn : {"http/1.1", ""}) {
    Listener& server = serve({.certificate = &server_certificate(), .alpn = alpn});
    const Client client = make_client(h2_options());
    const Result<Response> reply = client.get(server.url());
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
    EXPECT_TRUE(server.log().requests.empty()) << "no byte of it may be spoken in HTTP/1.1";
    EXPECT_TRUE(fails_as(reply, "http1_required"));
  }
}

TEST_F(FallbackTest, a_server_that_picks_what_was_not_offered_is_refused) {
  for (const std::string alpn : {"http/1.1", "spdy/3"}) {
    H2Server& server = serve_h2({.certificate = &server_certificate(), .alpn = alpn});
    const Client client = make_client(h2_options());
    EXPECT_TRUE(fails_as(client.get(server.url()), "tls_failed"));
    EXPECT_EQ(server.requests(), 0);
  }
  H2Server& server = serve_h2({.certificate = &server_certificate(), .alpn = "h2"});
  const Options http1 = tls_options().derive([](Options& o) { o.protocol = Protocol::http1; });
  EXPECT_FALSE(make_client(http1).get(server.url()));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(FallbackTest, prior_knowledge_fails_typed_at_an_http_1_1_server) {
  Listener& server = serve({.scenario = "h2", .settings = {{"open", "http1_answer"}, {"first", "1000"}}});
  const Client client = make_client(h2c_options());
  for (int i = 0; i < 3; ++i) {
    const Result<Response> reply = client.post(server.url(), "body");
    ASSERT_TRUE(fails_as(reply, "http1_required"));
    EXPECT_NE(reply.error().maybe_processed, MaybeProcessed::yes) << "nobody understood it";
  }
}

TEST_F(FallbackTest, prior_knowledge_at_a_tls_port_fails_typed) {
  H2Server& server = serve_h2({.certificate = &server_certificate()});
  const Client client = make_client(h2c_options());
  const Result<Response> reply = client.get("http://127.0.0.1:" + std::to_string(server.port()) + "/");
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().kind == ErrorKind::disconnected || reply.error().kind == ErrorKind::broken_peer)
      << describe(reply);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(FallbackTest, falls_back_to_http_1_1_where_the_options_allow_it) {
  Listener& by_alpn = serve({.certificate = &server_certificate(), .alpn = "http/1.1"});
  Listener& without_alpn = serve({.certificate = &server_certificate()});
  Listener& in_clear = serve({.scenario = "h2", .settings = {{"open", "http1_answer"}, {"first", "1000"}}});
  for (Listener* server : {&by_alpn, &without_alpn, &in_clear}) {
    const Client client = make_client(falling_back(h2_options(server != &in_clear)));
    for (int i = 0; i < 5; ++i) {
      const Result<Response> reply = client.post(server->url(numbered(i)), "body");
      ASSERT_STATUS(reply, 200);
      EXPECT_EQ(reply->connection.protocol, "http/1.1");
      EXPECT_EQ(reply->body, numbered(i));
    }
    EXPECT_LE(server->log().accepts, 3) << "what was learned is remembered: " << server->url();
  }
}

TEST_F(FallbackTest, falling_back_is_not_needed_where_there_is_http_2) {
  for (const bool tls : {false, true}) {
    H2Server& server = serve_h2({.certificate = certificate_if(tls)});
    const Client client = make_client(falling_back(h2_options(tls)));
    const Result<Response> reply = client.get(server.url());
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->connection.protocol, tls ? "h2" : "h2c");
  }
}

TEST_F(FallbackTest, F8_a_herd_that_falls_back_is_answered) {
  Listener& server = serve({.scenario = "h2", .settings = {{"open", "http1_answer"}, {"first", "1000"}}});
  const Client client =
      make_client(falling_back(h2c_options()).derive([](Options& o) { o.limits.open_per_host = 16; }));
  expect_all_good(all_at_once(client, 100, [&](int i) { return get(server.url(numbered(i))); }), numbered);
  // In HTTP/2 one dial, and one more with every 5 ms that the first answer takes, but 16 at once; one that takes the
  // place of the first to close, before anybody knows why it did. Then 16 in HTTP/1.1, and nobody asks for HTTP/2
  // again.
  EXPECT_LE(server.log().accepts, 16 + 1 + 16);
}

// Calls are handed to the loop, which looks at its sockets first: it hears the answer, and finds them behind it.
TEST_F(FallbackTest, F8_those_on_their_way_to_the_loop_when_the_first_falls_back_follow_it) {
  Listener& server = serve({.scenario = "h2", .settings = {{"open", "http1_late"}, {"first", "1000"}}});
  const Client client = make_client(falling_back(h2c_options()).derive([](Options& o) { o.limits.open_per_host = 2; }));
  H2Call first = start(client, get(server.url("/first")));
  ASSERT_TRUE(server.wait_for("held", 1));
  std::promise<void> stopped;
  std::promise<void> go_on;
  // Refused, and told so on the loop: among what is handed to it, not from a socket.
  client.start(get("no URL"), [&](const Result<Response>&) {
    stopped.set_value();
    go_on.get_future().wait();
  });
  stopped.get_future().wait();  // the loop
  server.release();
  ASSERT_TRUE(server.wait_for_exactly("open", 0)) << "the answer is there to be read";
  std::vector<H2Call> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(start(client, get(server.url(numbered(i)))));
  go_on.set_value();
  EXPECT_STATUS(first.reply.get(), 200);
  for (H2Call& call : calls) EXPECT_STATUS(call.reply.get(), 200);
  EXPECT_LE(server.log().accepts, 1 + 2) << "the first over HTTP/2, and two over HTTP/1.1 for all of them";
}

// --- HTTP_1_1_REQUIRED

TEST_F(FallbackTest, http_1_1_required_sends_the_request_again_over_http_1_1_and_remembers) {
  Listener& server = serve({.scenario = "h2", .certificate = &server_certificate(), .alpn = "h2,http/1.1"});
  const Client client = make_client(tls_options());
  for (int i = 0; i < 3; ++i) {
    const Result<Response> reply = client.post(server.attack("rst", "code=13"), "body");
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->connection.protocol, "http/1.1");
  }
  const ServerLog log = server.log();
  EXPECT_EQ(log.accepts, 2);
  EXPECT_EQ(log.requests.size(), 4U) << "asked over HTTP/2 once";
}

TEST_F(FallbackTest, http_1_1_required_fails_typed_where_the_options_forbid_it) {
  Listener& server = serve({.scenario = "h2", .certificate = &server_certificate(), .alpn = "h2,http/1.1"});
  const Client client = make_client(h2_options());
  EXPECT_TRUE(fails_as(client.post(server.attack("rst", "code=13"), "body"), "http1_required"));
  EXPECT_EQ(server.log().requests.size(), 1U);
  const Client allowed = make_client(falling_back(h2_options()));
  EXPECT_STATUS(allowed.post(server.attack("rst", "code=13"), "body"), 200);
}

// curl's CVE-2026-92392: the body is under way when it comes.
TEST_F(FallbackTest, http_1_1_required_during_an_upload_starts_it_again) {
  Listener& server = serve({.scenario = "h2", .certificate = &server_certificate(), .alpn = "h2,http/1.1"});
  const Client client = make_client(tls_options());
  H2Call other = start(client, get(server.attack("hold")));
  ASSERT_TRUE(server.wait_for("held", 1));
  const std::string url = server.attack("during_upload", "code=13&after=100000");
  const Result<Response> whole = client.post(url, pattern(2 << 20));
  ASSERT_STATUS(whole, 200);
  EXPECT_EQ(whole->connection.protocol, "http/1.1");
  EXPECT_EQ(server.log().requests.back().body_bytes, 2 << 20);
  server.release();
  EXPECT_STATUS(other.reply.get(), 200);
}

TEST_F(FallbackTest, http_1_1_required_during_a_streamed_upload_rewinds_its_source) {
  for (const bool say_length : {true, false}) {
    Listener& server = serve({.scenario = "h2", .certificate = &server_certificate(), .alpn = "h2,http/1.1"});
    const Client client = make_client(tls_options());
    const auto source = std::make_shared<PatternSource>(3 << 20, say_length);
    const std::string url = server.attack("during_upload", "code=13&after=200000");
    ASSERT_STATUS(client.send(Request("PUT", url).body(source)), 200);
    EXPECT_EQ(source->rewinds, 1);
    EXPECT_EQ(server.log().requests.back().body_bytes, 3 << 20);
  }
}

TEST_F(FallbackTest, http_1_1_required_during_an_upload_that_cannot_start_again_fails_typed) {
  Listener& server = serve({.scenario = "h2", .certificate = &server_certificate(), .alpn = "h2,http/1.1"});
  const Client client = make_client(tls_options());
  auto once = std::make_shared<ScriptedSource>();
  once->on_pull = [](std::span<char> into, const Callback<void()>&) {
    std::fill(into.begin(), into.end(), 'o');
    return BodySource::Pull{.kind = BodySource::Pull::bytes, .size = into.size()};
  };
  const std::string url = server.attack("during_upload", "code=13&after=200000");
  EXPECT_TRUE(fails_as(client.send(Request("PUT", url).body(once)), "http1_required"));
  ASSERT_STATUS(client.get(server.url()), 200);
}

TEST_F(FallbackTest, http_1_1_required_during_many_uploads_at_once) {
  Listener& server = serve({.scenario = "h2", .certificate = &server_certificate(), .alpn = "h2,http/1.1"});
  const Client client = make_client(tls_options());
  const std::string url = server.attack("during_upload", "code=13&after=1000");
  const auto replies = all_at_once(client, 20, [&](int) { return post(url, pattern(200000)); });
  for (const auto& reply : replies) EXPECT_STATUS(reply, 200);
}

}  // namespace
}  // namespace trunkline::test
