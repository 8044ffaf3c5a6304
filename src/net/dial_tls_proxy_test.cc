#include <netinet/tcp.h>

#include "net/dial_peers.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using peers::dial_and_wait;
using peers::secure;
using peers::Socket;
using peers::to;

// An https proxy: TLS, then CONNECT inside it, then bytes both ways.
class TlsProxy {
 public:
  TlsProxy(peers::TlsServerSetup setup, std::string answer, std::uint16_t far_port = 0)
      : answer_(std::move(answer)), far_port_(far_port), server_(std::move(setup), [this](SSL* ssl) { serve(ssl); }) {}
  std::uint16_t port() const { return server_.port(); }
  int handshakes() const { return server_.handshakes(); }
  int resumed() const { return server_.resumed(); }
  std::string request() const {  // once the dial is over
    std::lock_guard lock(mutex_);
    return request_;
  }

 private:
  void serve(SSL* ssl) {
    std::string request;
    char buffer[16 * 1024];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const int size = SSL_read(ssl, buffer, sizeof buffer);
      if (size <= 0) return;
      request.append(buffer, static_cast<std::size_t>(size));
    }
    {
      std::lock_guard lock(mutex_);
      request_ = request;
    }
    SSL_write(ssl, answer_.data(), static_cast<int>(answer_.size()));
    if (far_port_ == 0) return peers::echo(ssl);
    const Socket far(peers::connect_to(far_port_));
    forget_descriptor(far.fd());
    for (;;) {
      pollfd entries[] = {{SSL_get_fd(ssl), POLLIN, 0}, {far.fd(), POLLIN, 0}};
      if (SSL_pending(ssl) == 0 && ::poll(entries, 2, peers::patience_ms) < 1) return;
      if (SSL_pending(ssl) > 0 || entries[0].revents != 0) {
        const int size = SSL_read(ssl, buffer, sizeof buffer);
        if (size <= 0) return;
        far.send({buffer, static_cast<std::size_t>(size)});
      } else {
        const std::string bytes = far.receive(sizeof buffer);
        if (bytes.empty() || SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())) <= 0) return;
      }
    }
  }

  const std::string answer_;
  const std::uint16_t far_port_;
  mutable std::mutex mutex_;
  std::string request_;
  peers::TlsServer server_;
};

const std::string open_answer = "HTTP/1.1 200 OK\r\n\r\n";

DialTarget through(DialTarget target, std::uint16_t port, const peers::Authority& authority, bool tunnel = true) {
  DialProxy proxy;
  proxy.host = proxy.tls_name = "127.0.0.1";
  proxy.port = port;
  proxy.kind = ProxyKind::https;
  proxy.authorization = "Basic c2VjcmV0";
  const DialTarget like = secure(port, authority);
  proxy.tls = like.tls;
  proxy.sessions = like.sessions;
  target.proxy = std::make_shared<const DialProxy>(proxy);
  target.tunnel = tunnel;
  return target;
}

std::string ask(Stream& stream, std::string_view text) {
  stream.write({&text, 1});
  std::string answer;
  while (answer.size() < text.size()) {
    stream.flush();
    const ReadResult got = stream.read(Scratch::of_this_thread());
    if (got.io == Io::ok) answer += got.bytes;
    if (got.io != Io::ok && got.io != Io::again) break;
    if (got.io == Io::again && !peers::wait_for(stream.fd(), POLLIN)) break;
  }
  return answer;
}

TEST(DialTlsProxy, speaks_tls_in_tls_with_settings_of_their_own) {
  Loop loop;
  const peers::Authority of_origin("origin's"), of_proxy("proxy's");
  const peers::TlsServer origin({of_origin.issue(), 0, {}, "h2", 0}, peers::echo);
  const TlsProxy proxy({of_proxy.issue(), 0, {}, {}, 0}, open_answer, origin.port());
  DialTarget target = through(secure(443, of_origin, "far.invalid"), proxy.port(), of_proxy);
  target.tls_name = "localhost";
  target.alpn = {"h2", "http/1.1"};
  for (int i = 0; i < 2; ++i) {
    auto dialled = dial_and_wait(loop, target);
    ASSERT_TRUE(dialled) << dialled.error().describe();
    EXPECT_EQ(dialled->alpn, "h2") << "the origin's, not the proxy's";
    EXPECT_GT(dialled->proxy, 0ns);
    EXPECT_GT(dialled->handshake, 0ns);
    const std::string long_text(300'000, static_cast<char>('a' + i));
    EXPECT_EQ(ask(*dialled->stream, "hello"), "hello");
    EXPECT_EQ(ask(*dialled->stream, long_text), long_text);
    // The tickets of both went where they belong: the second dial resumes with each.
    EXPECT_EQ(dialled->tls.ends_with(", resumed"), i == 1) << dialled->tls;
  }
  EXPECT_EQ(proxy.handshakes(), 2);
  EXPECT_EQ(proxy.resumed(), 1);
  EXPECT_TRUE(proxy.request().starts_with("CONNECT far.invalid:443 HTTP/1.1\r\n")) << proxy.request();
  EXPECT_NE(proxy.request().find("\r\nProxy-Authorization: Basic c2VjcmV0\r\n"), std::string::npos);
}

TEST(DialTlsProxy, carries_requests_in_clear_inside_tls_without_connect) {
  Loop loop;
  const peers::Authority authority;
  const TlsProxy proxy({authority.issue(), 0, {}, "http/1.1", 0}, "");
  auto dialled = dial_and_wait(loop, through(to(80, "far.invalid"), proxy.port(), authority, false));
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(dialled->tls, "") << "there is none with the origin";
  EXPECT_EQ(dialled->alpn, "");
  const std::string_view head = "GET http://far.invalid/ HTTP/1.1\r\n\r\n";
  dialled->stream->write({&head, 1});
  EXPECT_EQ(ask(*dialled->stream, "hello"), "hello");
  EXPECT_EQ(proxy.request(), head);
}

TEST(DialTlsProxy, a_proxy_that_is_not_trusted_gets_no_credentials) {
  Loop loop;
  const TlsProxy proxy({peers::Authority().issue(), 0, {}, {}, 0}, open_answer);
  const auto failed = dial_and_wait(loop, through(to(80, "far.invalid"), proxy.port(), peers::Authority("another")));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::tls_untrusted);
  EXPECT_EQ(failed.error().phase, Phase::proxy);
  EXPECT_TRUE(failed.error().message.starts_with("TLS with the proxy 127.0.0.1:" + std::to_string(proxy.port())))
      << failed.error().message;
  EXPECT_EQ(proxy.request(), "");
}

TEST(DialTlsProxy, trusting_the_proxy_is_not_trusting_the_origin) {
  Loop loop;
  const peers::Authority of_proxy("proxy's");
  const peers::TlsServer origin({of_proxy.issue(), 0, {}, {}, 0}, peers::echo);
  const TlsProxy proxy({of_proxy.issue(), 0, {}, {}, 0}, open_answer, origin.port());
  DialTarget target = through(secure(443, peers::Authority("origin's"), "localhost"), proxy.port(), of_proxy);
  const auto failed = dial_and_wait(loop, target);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::tls_untrusted);
  EXPECT_EQ(failed.error().phase, Phase::tls);
}

TEST(DialTlsProxy, refuses_a_proxy_that_speaks_no_tls_or_another_protocol_inside) {
  Loop loop;
  const peers::Authority authority;
  const TlsProxy wants_http2({authority.issue(), 0, {}, "h2", 0}, open_answer);
  const auto other = dial_and_wait(loop, through(to(80, "far.invalid"), wants_http2.port(), authority));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().phase, Phase::proxy);
  EXPECT_EQ(wants_http2.request(), "");

  const peers::Listener listener;
  std::thread in_clear([&] { listener.accept().send("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  const auto failed = dial_and_wait(loop, through(to(80, "far.invalid"), listener.port(), authority));
  in_clear.join();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::tls_failed);
  EXPECT_EQ(failed.error().phase, Phase::proxy);
}

TEST(DialTlsProxy, notices_an_end_that_comes_in_one_event_with_half_a_record) {
  Loop loop;
  const peers::Authority authority;
  peers::TlsServer proxy({authority.issue(), 0, {}, {}, 0}, [](SSL* ssl) {
    char request[4096];
    SSL_read(ssl, request, sizeof request);
    const int fd = SSL_get_fd(ssl);
    const int corked = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);  // so that both leave as one segment
    ::send(fd, "\x17\x03\x03\x01\x00half", 9, MSG_NOSIGNAL);
    ::shutdown(fd, SHUT_WR);
  });
  const auto failed = dial_and_wait(loop, through(to(80, "far.invalid"), proxy.port(), authority), {.proxy = 5s});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::proxy_failed) << failed.error().message;
}

TEST(DialTlsProxy, gives_up_on_a_handshake_that_never_ends) {
  Loop loop;
  const peers::Listener tarpit;
  DialLimits limits;
  limits.proxy = 30ms;
  const auto failed = dial_and_wait(loop, through(to(80, "far.invalid"), tarpit.port(), peers::Authority()), limits);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_proxy);
}

}  // namespace
}  // namespace trunkline::net
