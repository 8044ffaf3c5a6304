// What we put on the wire, and what we refuse to: a refused request is refused before anything is dialled.
#include "support/http_test.h"

namespace trunkline::test {
namespace {

using namespace std::string_literals;

class RequestWritingTest : public HttpTest {
 protected:
  LoggedRequest last_of(const Listener& server) { return server.log().requests.back(); }

  void expect_refused(Request request, ErrorCode code = ErrorCode::invalid_request) {
    const Client client(transport());
    const Result<Response> reply = client.send(std::move(request));
    EXPECT_FAILS(reply, code);
    if (reply) return;
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
    EXPECT_EQ(reply.error().phase, Phase::prepare);
    EXPECT_EQ(reply.error().describe().find("s3cret"), std::string::npos) << reply.error().describe();
  }
};

TEST_F(RequestWritingTest, writes_method_target_host_and_fields_as_given) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(
      client.send(get(server.url("/a/b%20c?x=1&y=%2F#never-sent")).header("X-One", "1").header("x-two", " t\two ")),
      200);
  const LoggedRequest sent = last_of(server);
  EXPECT_EQ(sent.method, "GET");
  EXPECT_EQ(sent.target, "/a/b%20c?x=1&y=%2F");
  EXPECT_EQ(sent.field("Host"), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(sent.field("User-Agent"), "trunkline/0.1");
  EXPECT_EQ(sent.field("X-One"), "1");
  EXPECT_EQ(sent.field("Content-Length"), "(none)");
  EXPECT_EQ(sent.field("Transfer-Encoding"), "(none)");
  EXPECT_EQ(sent.field("Connection"), "(none)");
}

TEST_F(RequestWritingTest, writes_an_empty_path_as_a_slash_and_leaves_userinfo_out) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.get("http://user:s3cret@127.0.0.1:" + std::to_string(server.port()) + "?q"), 200);
  const LoggedRequest sent = last_of(server);
  EXPECT_EQ(sent.target, "/?q");
  EXPECT_EQ(sent.head.find("s3cret"), std::string::npos);
  EXPECT_EQ(sent.field("Authorization"), "(none)");
}

TEST_F(RequestWritingTest, speaks_to_ipv6_addresses_with_brackets_in_the_host_field) {
  Listener& server = serve({.settings = {{"host", "::1"}}});
  const Client client = make_client();
  const Result<Response> reply = client.get(server.url("[::1]", "/six"));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->connection.address, "[::1]:" + std::to_string(server.port()));
  EXPECT_EQ(last_of(server).field("Host"), "[::1]:" + std::to_string(server.port()));
}

TEST_F(RequestWritingTest, takes_user_agent_and_host_from_the_caller) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.send(get(server.url()).header("Host", "other.example").header("User-Agent", "mine/1")), 200);
  EXPECT_EQ(last_of(server).field("Host"), "other.example");
  EXPECT_EQ(last_of(server).field("User-Agent"), "mine/1");
  const Client nameless = make_client(test_options().derive([](Options& o) { o.user_agent.clear(); }));
  ASSERT_STATUS(nameless.get(server.url()), 200);
  EXPECT_EQ(last_of(server).field("User-Agent"), "(none)");
}

TEST_F(RequestWritingTest, frames_bodies_by_itself) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.post(server.url(), "twelve bytes"), 200);
  EXPECT_EQ(last_of(server).field("Content-Length"), "12");
  EXPECT_EQ(last_of(server).body, "twelve bytes");
  ASSERT_STATUS(client.post(server.url(), ""), 200);
  EXPECT_EQ(last_of(server).field("Content-Length"), "0");
  ASSERT_STATUS(client.send(Request("PUT", server.url())), 200);
  EXPECT_EQ(last_of(server).field("Content-Length"), "0");
  ASSERT_STATUS(client.send(post(server.url(), "abc").header("Content-Length", "3")), 200);
  EXPECT_EQ(last_of(server).field("Content-Length"), "3");
  ASSERT_STATUS(client.send(post(server.url(), std::string(3 << 20, 'b'))), 200);
  EXPECT_EQ(last_of(server).body_bytes, 3 << 20);
  const auto source = std::make_shared<PatternSource>(100'000, false);
  ASSERT_STATUS(client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source))), 200);
  EXPECT_EQ(last_of(server).field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(last_of(server).body_bytes, 100'000);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(RequestWritingTest, any_method_that_is_a_token_is_sent) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string method : {"GET", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "X-My.Method!"}) {
    ASSERT_STATUS(client.send(Request(method, server.url())), 200);
    EXPECT_EQ(last_of(server).method, method);
  }
}

TEST_F(RequestWritingTest, refuses_control_characters_anywhere_before_dialling) {
  Listener& server = serve();
  make_transport();
  for (const std::string& bad : {"\r"s, "\n"s, "\r\n"s, "\0"s, "\x01"s, "\x7f"s, "\r\nX-Injected: 1"s}) {
    SCOPED_TRACE(::testing::PrintToString(bad));
    expect_refused(Request("GE" + bad + "T", server.url()));
    expect_refused(get(server.url("/a" + bad + "b")), ErrorCode::invalid_url);
    expect_refused(get(server.url()).header("X-A" + bad, "v"));
    expect_refused(get(server.url()).header("X-A", "s3cret" + bad + "s3cret"));
    expect_refused(get(server.url()).header("Host", "a" + bad + "b"));
    expect_refused(get(server.url()).upgrade("proto" + bad));
    expect_refused(get("http://127.0.0.1" + bad + ":1/"), ErrorCode::invalid_url);
  }
  EXPECT_EQ(server.log().accepts, 0);
  EXPECT_EQ(stats().pool.dials_started, 0U);
}

TEST_F(RequestWritingTest, refuses_methods_and_names_that_are_no_tokens) {
  Listener& server = serve();
  make_transport();
  for (const std::string& bad : {""s, "GE T"s, "GET\t"s, "G:T"s, "G\xc3\x84T"s, "(GET)"s})
    expect_refused(Request(bad, server.url()));
  for (const std::string& bad : {""s, "X A"s, "X:A"s, "X-\xc3\x84"s, "X[A]"s})
    expect_refused(get(server.url()).header(bad, "s3cret"));
  EXPECT_EQ(server.log().accepts, 0);
}

TEST_F(RequestWritingTest, refuses_framing_that_contradicts_the_body) {
  Listener& server = serve();
  make_transport();
  expect_refused(post(server.url(), "abc").header("Content-Length", "4"));
  expect_refused(post(server.url(), "abc").header("Content-Length", "3").header("Content-Length", "3"));
  expect_refused(post(server.url(), "abc").header("Content-Length", "+3"));
  expect_refused(post(server.url(), "abc").header("Content-Length", "3, 3"));
  expect_refused(post(server.url(), "abc").header("Transfer-Encoding", "chunked"));
  expect_refused(get(server.url()).header("Content-Length", "1"));
  expect_refused(get(server.url()).header("Transfer-Encoding", "identity"));
  const auto unsized = std::make_shared<PatternSource>(3, false);
  expect_refused(
      Request("POST", server.url()).body(std::shared_ptr<BodySource>(unsized)).header("Content-Length", "3"));
  EXPECT_EQ(server.log().accepts, 0);
}

TEST_F(RequestWritingTest, refuses_fields_that_belong_to_the_connection) {
  Listener& server = serve();
  make_transport();
  expect_refused(get(server.url()).header("Connection", "X-Secret-Header"));
  expect_refused(get(server.url()).header("Connection", "upgrade"));
  expect_refused(get(server.url()).header("Upgrade", "websocket"));
  expect_refused(get(server.url()).header("Keep-Alive", "timeout=5"));
  expect_refused(get(server.url()).header("Proxy-Authorization", "Basic s3cret"));
  expect_refused(get(server.url()).header("Proxy-Connection", "keep-alive"));
  expect_refused(get(server.url()).header("TE", "trailers"));
  expect_refused(get(server.url()).header("Host", "a").header("Host", "b"));
  expect_refused(get(server.url()).header("Host", "user@host"));
  expect_refused(get(server.url()).header("Expect", "100-continue"));  // there is no body
  expect_refused(post(server.url(), "b").header("Expect", "200-maybe"));
  EXPECT_EQ(server.log().accepts, 0);
}

TEST_F(RequestWritingTest, a_bad_trailer_fails_the_request_and_the_connection) {
  allow_malformed_requests();
  Listener& server = serve();
  const Client client = make_client();
  for (const auto& [name, value] :
       {std::pair{"X-A\r\nEvil"s, "v"s}, std::pair{"X-A"s, "v\r\nEvil: 1"s}, std::pair{"Host"s, "evil"s},
        std::pair{"Content-Length"s, "0"s}, std::pair{"Authorization"s, "s3cret"s}}) {
    const auto source = std::make_shared<ScriptedSource>();
    source->on_pull = [](std::span<char>, Callback<void()>) { return BodySource::Pull{.kind = BodySource::Pull::end}; };
    source->at_end.add(name, value);
    const Result<Response> reply = client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source)));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, ErrorKind::rejected) << describe(reply);
    EXPECT_EQ(reply.error().describe().find("s3cret"), std::string::npos);
  }
  for (const LoggedRequest& request : server.log().requests) EXPECT_EQ(request.trailers, "");
}

TEST_F(RequestWritingTest, sends_trailers_after_a_chunked_body) {
  Listener& server = serve();
  const Client client = make_client();
  const auto source = std::make_shared<ScriptedSource>();
  int pulls = 0;
  source->on_pull = [&](std::span<char> into, Callback<void()>) -> BodySource::Pull {
    if (++pulls > 3) return {.kind = BodySource::Pull::end};
    into[0] = static_cast<char>('0' + pulls);
    return {.kind = BodySource::Pull::bytes, .size = 1};
  };
  source->at_end = Headers{{"X-Checksum", "abc"}, {"X-Count", "3"}};
  ASSERT_STATUS(client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source))), 200);
  EXPECT_EQ(last_of(server).body, "123");
  EXPECT_EQ(last_of(server).trailers, "X-Checksum: abc\r\nX-Count: 3");
}

TEST_F(RequestWritingTest, refuses_urls_that_can_be_read_in_two_ways_and_names_that_fail_idna) {
  make_transport();
  for (const std::string& url :
       {""s, "/path"s, "ftp://h/"s, "http://"s, "http:///x"s, "http://h:0/"s, "http://h:65536/"s, "http://h:+1/"s,
        "http://h:/x y"s, "http://a b/"s, "http://a\\b/"s, "http://[::1/"s, "http://127.1/"s, "http://0x7f.1/"s,
        "http://m\xc3\xbcnchen.de/"s, "http://" + std::string(64, 'a') + ".example/"s,
        "http://" + std::string(300, 'a') + "/"s, "http://a..b/"s}) {
    SCOPED_TRACE(url);
    expect_refused(get(url), ErrorCode::invalid_url);
  }
  EXPECT_EQ(stats().pool.dials_started, 0U);
}

}  // namespace
}  // namespace trunkline::test
