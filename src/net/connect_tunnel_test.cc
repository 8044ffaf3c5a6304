#include "net/connect_tunnel.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

using Step = TunnelHandshake::Step;

// Feeds all at once, or byte by byte; what is left of the input is in `rest`.
Step feed(TunnelHandshake& tunnel, std::string_view bytes, std::string& rest) {
  const Step step = tunnel.feed(bytes);
  rest = bytes;
  return step;
}

Step feed_slowly(TunnelHandshake& tunnel, std::string_view bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(1)) {
    std::string_view one = bytes.substr(0, 1);
    const Step step = tunnel.feed(one);
    if (step != Step::need_more) return step;
  }
  return Step::need_more;
}

TEST(ConnectTunnel, asks_for_the_authority_with_the_credentials) {
  const ConnectTunnel tunnel("far.example:443", "Basic eDp5");
  EXPECT_EQ(tunnel.output(),
            "CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n");
  const ConnectTunnel plain("far.example:443", "");
  EXPECT_EQ(plain.output(), "CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n");
}

TEST(ConnectTunnel, output_is_taken_in_pieces) {
  ConnectTunnel tunnel("far.example:443", "");
  tunnel.take_output(8);
  EXPECT_TRUE(tunnel.output().starts_with("far.example:443 HTTP/1.1"));
  tunnel.take_output(tunnel.output().size());
  EXPECT_EQ(tunnel.output(), "");
}

TEST(ConnectTunnel, sends_nothing_that_could_be_read_as_more_than_one_request) {
  for (const auto& [authority, authorization] :
       {std::pair("far\r\nX: y:443", "Basic x"), std::pair("far:443", "Basic x\r\nX: y"),
        std::pair("far away:443", "")}) {
    const ConnectTunnel tunnel(authority, authorization);
    EXPECT_EQ(tunnel.step(), Step::failed) << authority;
    EXPECT_EQ(tunnel.output(), "") << authority;
  }
}

TEST(ConnectTunnel, is_open_after_any_2xx_and_leaves_what_follows) {
  for (const std::string head :
       {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 299 x\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"}) {
    std::string rest;
    ConnectTunnel tunnel("far:443", "");
    EXPECT_EQ(feed(tunnel, head + "from the far end", rest), Step::done) << head;
    EXPECT_EQ(rest, "from the far end");
    ConnectTunnel slow("far:443", "");
    EXPECT_EQ(feed_slowly(slow, head), Step::done) << head;
  }
}

TEST(ConnectTunnel, says_what_a_proxy_refused_with) {
  struct Row {
    const char* answer;
    const char* authorization;
    ErrorCode code;
    const char* says;
  };
  const Row rows[] = {
      {"HTTP/1.1 403 Forbidden\r\n\r\n", "", ErrorCode::proxy_failed, "it answered 403 Forbidden"},
      {"HTTP/1.1 401 Unauthorized\r\n\r\n", "x", ErrorCode::proxy_failed, "it answered 401 Unauthorized"},
      {"HTTP/1.1 302 \x1b[2J\r\n\r\n", "", ErrorCode::proxy_failed, ""},
      {"HTTP/1.1 407 No\r\n\r\n", "", ErrorCode::proxy_auth, "it answered 407 No: it wants credentials"},
      {"HTTP/1.1 407 No\r\n\r\n", "Basic eDp5", ErrorCode::proxy_auth,
       "it answered 407 No: it refused the credentials"},
      {"HTTP/1.1 407 eDp5?\r\n\r\n", "Basic eDp5", ErrorCode::proxy_auth,
       "it answered 407 (not shown: it repeats the credentials): it refused the credentials"},
      {"SSH-2.0-OpenSSH\r\n\r\n", "", ErrorCode::proxy_failed, ""},
  };
  for (const Row& row : rows) {
    std::string rest;
    ConnectTunnel tunnel("far:443", row.authorization);
    EXPECT_EQ(feed(tunnel, row.answer, rest), Step::failed) << row.answer;
    EXPECT_EQ(tunnel.code(), row.code) << row.answer;
    EXPECT_TRUE(tunnel.failure().starts_with(row.says)) << tunnel.failure();
    for (const char byte : tunnel.failure()) EXPECT_TRUE(byte >= ' ' && byte < 0x7F) << tunnel.failure();
    std::string_view more = "HTTP/1.1 200 OK\r\n\r\n";
    EXPECT_EQ(tunnel.feed(more), Step::failed) << "it stays failed";
  }
}

TEST(ConnectTunnel, shows_what_a_proxy_explains_but_waits_for_no_more_than_came_with_the_answer) {
  const auto refused = [](const std::string& answer, const char* authorization = "", const char* password = "") {
    ConnectTunnel tunnel("far:443", authorization, password);
    std::string rest;
    EXPECT_EQ(feed(tunnel, answer, rest), Step::failed) << answer;
    return tunnel.failure();
  };
  const std::string head = "HTTP/1.1 403 Forbidden\r\n";
  const std::string plain = "it answered 403 Forbidden";
  EXPECT_EQ(refused(head + "Content-Length: 9\r\n\r\nno\x1b[2J !"), plain + ": no\\x1b[2J !");
  EXPECT_EQ(refused(head + "Content-Length: 900\r\n\r\nport 22 is not"), plain + ": port 22 is not");
  EXPECT_EQ(refused(head + "Content-Length: 0\r\n\r\n"), plain);
  EXPECT_EQ(refused(head + "\r\nto the close\r\n"), plain + ": to the close");
  EXPECT_EQ(refused(head + "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n5\r\n port\r\n0\r\n\r\n"),
            plain + ": no port");
  EXPECT_EQ(refused(head + "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\nx\r\n"), plain + ": no");
  EXPECT_EQ(refused(head + "Content-Encoding: gzip\r\n\r\n\x1f\x8b"), plain);
  EXPECT_EQ(refused(head + "Content-Type: text/html\r\n\r\n<html><TITLE> Not\nhere </TITLE><body>much"),
            plain + ": Not\\nhere");
  EXPECT_EQ(refused(head + "Content-Type: text/html\r\n\r\n<html><title>cut"), plain);
  EXPECT_LT(refused(head + "\r\n" + std::string(100'000, 'a')).size(), plain.size() + 300);

  // Neither the credentials nor their beginning.
  const char* const hidden = ": (not shown: it repeats the credentials)";
  EXPECT_EQ(refused(head + "\r\nnot with Basic eDpvcGVu!", "Basic eDpvcGVu", "open"), plain + hidden);
  EXPECT_EQ(refused(head + "\r\nx:open may not", "Basic eDpvcGVu", "open"), plain + hidden);
  EXPECT_EQ(refused(head + "\r\n" + std::string(1000, 'a') + "open", "Basic eDpvcGVu", "open"), plain + hidden);
  EXPECT_EQ(refused(head + "\r\nnot with eDpvcGVubmVz!", "Basic eDpvcGVubmVz=", "s"), plain + hidden) << "no padding";
  EXPECT_EQ(refused(head + "\r\nx:ope", "Basic eDpvcGVu", "open"), plain + ": x:");
  EXPECT_EQ(refused(head + "\r\nx:\x9copen", "Basic eDpvcGVu", "copen"), plain + hidden) << "made by the escape";
  EXPECT_EQ(refused("HTTP/1.1 403 open\r\n\r\n", "Basic eDpvcGVu", "open"),
            "it answered 403 (not shown: it repeats the credentials)");
}

TEST(ConnectTunnel, bounds_what_a_proxy_may_say) {
  std::string many_interim, many_fields = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 100; ++i) many_interim += "HTTP/1.1 100 Continue\r\n\r\n";
  for (int i = 0; i < 300; ++i) many_fields += "A: b\r\n";
  for (const std::string& flood : {many_interim, many_fields, "HTTP/1.1 200 " + std::string(20'000, 'a'),
                                   "HTTP/1.1 200 OK\r\nA: " + std::string(20'000, 'a')}) {
    ConnectTunnel tunnel("far:443", "");
    EXPECT_EQ(feed_slowly(tunnel, flood), Step::failed) << flood.substr(0, 30);
  }
}

}  // namespace
}  // namespace trunkline::net
