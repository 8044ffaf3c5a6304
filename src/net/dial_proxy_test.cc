#include <netinet/tcp.h>

#include "net/dial_peers.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using peers::dial_and_wait;
using peers::Listener;
using peers::Proxy;
using peers::secure;
using peers::Socket;
using peers::through;
using peers::to;

TEST(DialProxy, opens_a_tunnel_and_speaks_tls_with_the_far_end) {
  Loop loop;
  const peers::Authority authority;
  const peers::TlsServer server({authority.issue(), 0, {}, {}, 0}, peers::echo);
  Proxy proxy([&](Socket& socket) {
    socket.send("HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n");  // which RFC 9110 has us ignore
    peers::tunnel(socket, server.port());
  });
  // The name is the proxy's to resolve.
  DialTarget target = through(secure(server.port(), authority, "far.invalid"), proxy.port(), "Basic c2VjcmV0");
  target.tls_name = "localhost";
  {
    auto dialled = dial_and_wait(loop, target);
    ASSERT_TRUE(dialled) << dialled.error().describe();
    EXPECT_EQ(dialled->address, "127.0.0.1:" + std::to_string(proxy.port()));
    EXPECT_GT(dialled->proxy, 0ns);
    EXPECT_TRUE(dialled->tls.starts_with("TLSv1.3"));
  }
  const std::string authority_form = "far.invalid:" + std::to_string(server.port());
  EXPECT_TRUE(proxy.request().starts_with("CONNECT " + authority_form + " HTTP/1.1\r\n")) << proxy.request();
  EXPECT_NE(proxy.request().find("\r\nHost: " + authority_form + "\r\n"), std::string::npos) << proxy.request();
  EXPECT_NE(proxy.request().find("\r\nProxy-Authorization: Basic c2VjcmV0\r\n"), std::string::npos);
}

TEST(DialProxy, writes_an_ipv6_target_in_brackets) {
  Loop loop;
  Proxy proxy([](Socket& socket) { socket.send("HTTP/1.1 200 OK\r\n\r\n"); });
  EXPECT_TRUE(dial_and_wait(loop, through(to(443, "2001:db8::1"), proxy.port())));
  EXPECT_TRUE(proxy.request().starts_with("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")) << proxy.request();
}

TEST(DialProxy, is_dialled_without_connect_for_requests_in_clear) {
  Loop loop;
  const Listener listener;
  DialTarget target = through(to(80, "far.invalid"), listener.port());
  target.tunnel = false;
  target.address_override = "192.0.2.1";  // of the origin, which is the proxy's to dial
  auto dialled = dial_and_wait(loop, target);
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(dialled->address, "127.0.0.1:" + std::to_string(listener.port()));
}

TEST(DialProxy, reads_an_answer_that_comes_byte_by_byte) {
  Loop loop;
  Proxy proxy([](Socket& socket) {
    ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &peers::patience_ms, sizeof(int));
    for (const char byte :
         std::string_view("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\n\r\n")) {
      socket.send({&byte, 1});
    }
  });
  auto dialled = dial_and_wait(loop, through(to(443, "far.invalid"), proxy.port()));
  EXPECT_TRUE(dialled) << dialled.error().describe();
}

struct BadAnswer {
  const char* name;
  std::string answer;
  const char* says;
};

class DialProxyRefusal : public testing::TestWithParam<BadAnswer> {};

INSTANTIATE_TEST_SUITE_P(
    Answers, DialProxyRefusal,
    testing::Values(
        BadAnswer{"credentials_missing", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
                  "it answered 407 Proxy Authentication Required: it wants credentials"},
        BadAnswer{"forbidden_with_a_body", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
                  "it answered 403 Forbidden"},
        BadAnswer{"unauthorised_is_not_the_origins", "HTTP/1.1 401 Unauthorized\r\n\r\n", "it answered 401"},
        BadAnswer{"escape_sequences",
                  "HTTP/1.1 502 \x80"
                  "bad\r\n\r\n",
                  "it answered 502"},
        BadAnswer{"garbage", "SSH-2.0-OpenSSH\r\n\r\n", ""},
        BadAnswer{"an_endless_line", "HTTP/1.1 200 OK\r\nA: " + std::string(20'000, 'a'), ""},
        BadAnswer{"a_header_flood",
                  [] {
                    std::string text = "HTTP/1.1 200 OK\r\n";
                    for (int i = 0; i < 300; ++i) text += "A: b\r\n";
                    return text + "\r\n";
                  }(),
                  ""},
        BadAnswer{"a_flood_of_interim_answers",
                  [] {
                    std::string text;
                    for (int i = 0; i < 100; ++i) text += "HTTP/1.1 100 Continue\r\n\r\n";
                    return text;
                  }(),
                  ""},
        BadAnswer{"half_an_answer", "HTTP/1.1 200 OK\r\nA: ", "without a complete answer"},
        BadAnswer{"nothing", "", "without a complete answer"}),
    [](const auto& row) { return row.param.name; });

TEST_P(DialProxyRefusal, is_an_error_and_the_connection_is_closed) {
  Loop loop;
  std::promise<bool> ended;
  auto future = ended.get_future();
  Proxy proxy([&](Socket& socket) {
    socket.send(GetParam().answer);
    ::shutdown(socket.fd(), SHUT_WR);
    ended.set_value(socket.receive().empty());  // and nothing in clear came after it
  });
  const auto failed = dial_and_wait(loop, through(to(443, "far.invalid"), proxy.port()));
  ASSERT_FALSE(failed);
  const bool about_login = GetParam().answer.find(" 407 ") != std::string::npos;
  EXPECT_EQ(failed.error().code, about_login ? ErrorCode::proxy_auth : ErrorCode::proxy_failed);
  EXPECT_EQ(failed.error().phase, Phase::proxy);
  EXPECT_TRUE(failed.error().message.starts_with("the proxy 127.0.0.1:" + std::to_string(proxy.port()) +
                                                 " opened no tunnel to far.invalid:443: "));
  EXPECT_NE(failed.error().message.find(GetParam().says), std::string::npos) << failed.error().message;
  for (const char byte : failed.error().message) EXPECT_TRUE(byte >= ' ' && byte < 0x7f) << failed.error().message;
  ASSERT_TRUE(peers::arrived(future));
  EXPECT_TRUE(future.get());
}

TEST(DialProxy, keeps_what_the_far_end_said_first_in_clear) {
  Loop loop;
  Proxy proxy([](Socket& socket) {
    socket.send("HTTP/1.1 200 OK\r\n\r\nhello ");
    if (socket.receive() == "who?") socket.send("it is me");
  });
  auto dialled = dial_and_wait(loop, through(to(80, "far.invalid"), proxy.port()));
  ASSERT_TRUE(dialled) << dialled.error().describe();
  Stream& stream = *dialled->stream;
  // It came with the answer, so that no event will announce it.
  EXPECT_TRUE(stream.has_buffered_input());
  const ReadResult first = stream.read(Scratch::of_this_thread());
  EXPECT_EQ(first.bytes, "hello ");
  EXPECT_FALSE(first.drained);
  EXPECT_FALSE(stream.has_buffered_input());
  EXPECT_EQ(stream.read(Scratch::of_this_thread()).io, Io::again);
  const std::string_view text = "who?";
  EXPECT_EQ(stream.write({&text, 1}).accepted, 4U);
  EXPECT_EQ(stream.read_waiting(Scratch::of_this_thread()).bytes, "it is me");
}

TEST(DialProxy, refuses_bytes_that_come_before_tls_has_begun) {
  Loop loop;
  Proxy proxy([](Socket& socket) {
    socket.send("HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01");
    EXPECT_EQ(socket.receive(), "");
  });
  const auto failed = dial_and_wait(loop, through(secure(443, peers::Authority()), proxy.port()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::proxy_failed);
  EXPECT_NE(failed.error().message.find("bytes after its answer"), std::string::npos) << failed.error().message;
}

TEST(DialProxy, says_that_it_is_the_proxy_which_cannot_be_reached) {
  Loop loop;
  Listener nobody;
  nobody.close();
  const auto failed = dial_and_wait(loop, through(to(443, "far.invalid"), nobody.port()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::connect_failed);
  const std::string address = "127.0.0.1:" + std::to_string(nobody.port());
  EXPECT_EQ(failed.error().message,
            "the proxy " + address + " cannot be reached: cannot connect to " + address + ": Connection refused");
}

TEST(DialProxy, keeps_credentials_out_of_the_error) {
  Loop loop;
  Proxy proxy([](Socket& socket) { socket.send("HTTP/1.1 407 No\r\n\r\n"); });
  const auto failed = dial_and_wait(loop, through(to(443, "far.invalid"), proxy.port(), "Basic c2VjcmV0"));
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("it refused the credentials"), std::string::npos) << failed.error().message;
  EXPECT_EQ(failed.error().describe().find("c2VjcmV0"), std::string::npos);
}

// Commercial proxies know their customers by a key in the user's place.
TEST(DialProxy, keeps_a_user_without_a_password_out_of_the_error) {
  Loop loop;
  Proxy proxy([](Socket& socket) {
    socket.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 22\r\n\r\nunknown key: k3yk3yk3y");
  });
  DialTarget target = to(80, "far.invalid");
  DialProxy with_key{"127.0.0.1", proxy.port(), "Basic azN5azN5azN5Og=="};
  with_key.login = {"k3yk3yk3y", ""};
  target.proxy = std::make_shared<const DialProxy>(with_key);
  target.tunnel = true;
  const auto failed = dial_and_wait(loop, target);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message.find("k3yk3yk3y"), std::string::npos) << failed.error().message;
}

TEST(DialProxy, sends_nothing_that_could_be_read_as_more_than_one_request) {
  Loop loop;
  const Listener listener;
  for (const auto& [host, authorization] : {std::pair("far\r\nX: y", "Basic x"), std::pair("far", "Basic x\r\nX: y")}) {
    const auto failed = dial_and_wait(loop, through(to(443, host), listener.port(), authorization));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::proxy_failed);
    EXPECT_EQ(listener.accept().receive(), "");
  }
}

TEST(DialProxy, gives_up_when_connect_is_never_answered) {
  Loop loop;
  const Listener silent;
  DialLimits limits;
  limits.proxy = 30ms;
  const auto failed = dial_and_wait(loop, through(to(443, "far.invalid"), silent.port()), limits);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_proxy);
  EXPECT_EQ(failed.error().phase, Phase::proxy);
}

}  // namespace
}  // namespace trunkline::net
