#include <netinet/tcp.h>

#include "net/dial_peers.h"
#include "net/resolver.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using peers::dial_and_wait;
using peers::Listener;
using peers::secure;
using peers::Socket;
using peers::to;

const std::string accepted = "\5\0\0\1\x7f\0\0\1\x1f\x90"s;

std::string receive_exactly(const Socket& socket, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const std::string more = socket.receive(size - bytes.size());
    if (more.empty()) break;
    bytes += more;
  }
  return bytes;
}

// A proxy without login for one connection. It answers the request, whose length the test knows, and does with the
// connection what the test says.
class SocksProxy {
 public:
  SocksProxy(std::size_t request_size, std::function<void(Socket&)> serve) {
    thread_ = std::thread([this, request_size, serve = std::move(serve)] {
      Socket socket = listener_.accept();
      if (socket.fd() < 0) return;
      greeting_ = receive_exactly(socket, 3);
      socket.send("\5\0"s);
      request_ = receive_exactly(socket, request_size);
      serve(socket);
    });
  }
  ~SocksProxy() {
    listener_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return listener_.port(); }
  const std::string& request() {  // once the dial is over
    listener_.stop();
    thread_.join();
    thread_ = std::thread([] {});
    EXPECT_EQ(greeting_, "\5\1\0"s);
    return request_;
  }

 private:
  Listener listener_;
  std::string greeting_, request_;
  std::thread thread_;
};

DialTarget through(DialTarget target, ProxyKind kind, std::uint16_t proxy_port, Socks5::Credentials login = {}) {
  DialProxy proxy;
  proxy.host = "127.0.0.1";
  proxy.port = proxy_port;
  proxy.kind = kind;
  proxy.login = std::move(login);
  target.proxy = std::make_shared<const DialProxy>(proxy);
  target.tunnel = true;
  return target;
}

TEST(DialSocks5, sends_the_name_for_the_proxy_to_resolve) {
  Loop loop;
  SocksProxy proxy(4 + 1 + 11 + 2, [](Socket& socket) { socket.send(accepted); });
  DialTarget target = through(to(80, "far.invalid"), ProxyKind::socks5h, proxy.port());
  target.address_override = "192.0.2.1";  // of the origin, which is the proxy's to resolve
  auto dialled = dial_and_wait(loop, target);
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(dialled->address, "127.0.0.1:" + std::to_string(proxy.port()));
  EXPECT_GT(dialled->proxy, 0ns);
  EXPECT_EQ(dialled->resolve, 0ns) << "nothing was resolved here";
  EXPECT_EQ(proxy.request(),
            "\5\1\0\3\x0b"
            "far.invalid\0\x50"s);
}

TEST(DialSocks5, resolves_the_name_itself_and_sends_the_address) {
  Loop loop;
  SocksProxy proxy(4 + 4 + 2, [](Socket& socket) { socket.send(accepted); });
  auto dialled = dial_and_wait(loop, through(to(80, "localhost"), ProxyKind::socks5, proxy.port()));
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(proxy.request(), "\5\1\0\1\x7f\0\0\1\0\x50"s);
}

TEST(DialSocks5, sends_the_address_that_is_given_instead_of_resolving) {
  Loop loop;
  {
    SocksProxy proxy(4 + 4 + 2, [](Socket& socket) { socket.send(accepted); });
    DialTarget target = through(to(80, "far.invalid"), ProxyKind::socks5, proxy.port());
    target.address_override = "2001:db8::1,192.0.2.1";  // a proxy without IPv6 could only fail
    EXPECT_TRUE(dial_and_wait(loop, target));
    EXPECT_EQ(proxy.request(), "\5\1\0\1\xc0\0\2\1\0\x50"s);
  }
  SocksProxy proxy(4 + 16 + 2, [](Socket& socket) { socket.send(accepted); });
  EXPECT_TRUE(dial_and_wait(loop, through(to(80, "2001:db8::1"), ProxyKind::socks5, proxy.port())));
  EXPECT_EQ(proxy.request(), "\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\x50"s);
}

TEST(DialSocks5, asks_for_another_address_after_one_that_the_proxy_could_not_reach) {
  Loop loop;
  use_dns_for_tests({});  // forgets what has failed
  const auto asked_for = [&](const char* answer) {
    SocksProxy proxy(4 + 4 + 2, [&](Socket& socket) { socket.send(std::string(answer, 2) + "\0\1\0\0\0\0\0\0"s); });
    DialTarget target = through(to(80, "far.invalid"), ProxyKind::socks5, proxy.port());
    target.address_override = "192.0.2.1,192.0.2.2";
    [[maybe_unused]] const auto dialled = dial_and_wait(loop, target);
    return proxy.request().substr(4, 4);
  };
  EXPECT_EQ(asked_for("\5\2"), "\xc0\0\2\1"s);
  EXPECT_EQ(asked_for("\5\4"), "\xc0\0\2\1"s) << "rules are not about one address";
  EXPECT_EQ(asked_for("\5\0"), "\xc0\0\2\2"s);
  use_dns_for_tests({});
}

TEST(DialSocks5, dials_nothing_when_the_name_does_not_resolve_here) {
  Loop loop;
  const Listener proxy;
  const auto failed = dial_and_wait(loop, through(to(80, "does-not-exist.invalid"), ProxyKind::socks5, proxy.port()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::resolve_failed);
  EXPECT_EQ(failed.error().address, "");
}

TEST(DialSocks5, speaks_tls_with_the_far_end_when_the_answer_comes_byte_by_byte) {
  Loop loop;
  const peers::Authority authority;
  const peers::TlsServer server({authority.issue(), 0, {}, {}, 0}, peers::echo);
  SocksProxy proxy(4 + 1 + 11 + 2, [&](Socket& socket) {
    ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &peers::patience_ms, sizeof(int));
    for (const char byte : accepted) socket.send({&byte, 1});
    peers::tunnel(socket, server.port());
  });
  DialTarget target = through(secure(443, authority, "far.invalid"), ProxyKind::socks5h, proxy.port());
  target.tls_name = "localhost";
  auto dialled = dial_and_wait(loop, target);
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_TRUE(dialled->tls.starts_with("TLSv1.3"));
}

TEST(DialSocks5, verifies_the_far_end_and_not_the_proxy) {
  Loop loop;
  const peers::TlsServer server({peers::Authority().issue(), 0, {}, {}, 0}, peers::echo);
  SocksProxy proxy(4 + 1 + 11 + 2, [&](Socket& socket) {
    socket.send(accepted);
    peers::tunnel(socket, server.port());
  });
  const auto failed =
      dial_and_wait(loop, through(secure(443, peers::Authority(), "far.invalid"), ProxyKind::socks5h, proxy.port()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::tls_untrusted);
  EXPECT_EQ(failed.error().phase, Phase::tls);
}

TEST(DialSocks5, keeps_what_a_far_end_in_clear_says_behind_the_answer_and_refuses_it_before_tls) {
  Loop loop;
  const auto serve = [](Socket& socket) { socket.send(accepted + "hello"); };
  SocksProxy clear_proxy(4 + 1 + 11 + 2, serve);
  auto dialled = dial_and_wait(loop, through(to(80, "far.invalid"), ProxyKind::socks5h, clear_proxy.port()));
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(dialled->stream->read(Scratch::of_this_thread()).bytes, "hello");
  SocksProxy tls_proxy(4 + 1 + 11 + 2, serve);
  const auto failed = dial_and_wait(
      loop, through(secure(443, peers::Authority(), "far.invalid"), ProxyKind::socks5h, tls_proxy.port()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::proxy_failed);
}

TEST(DialSocks5, a_refusal_names_proxy_and_target_and_tells_no_password) {
  Loop loop;
  SocksProxy proxy(4 + 1 + 11 + 2, [](Socket& socket) {
    socket.send("\5\2\0\1\0\0\0\0\0\0"s);
    EXPECT_EQ(socket.receive(), "") << "nothing may go out in clear";
  });
  const auto failed = dial_and_wait(loop, through(to(80, "far.invalid"), ProxyKind::socks5h, proxy.port()));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::proxy_failed);
  EXPECT_EQ(failed.error().phase, Phase::proxy);
  EXPECT_EQ(failed.error().message, "the proxy 127.0.0.1:" + std::to_string(proxy.port()) +
                                        " opened no tunnel to far.invalid:80: its rules do not allow this destination");
}

TEST(DialSocks5, credentials_that_are_refused_are_a_typed_error_without_them) {
  Loop loop;
  const Listener proxy;
  std::thread refuses([&] {
    const Socket socket = proxy.accept();
    EXPECT_EQ(receive_exactly(socket, 4), "\5\2\0\2"s);
    socket.send("\5\2"s);
    EXPECT_EQ(receive_exactly(socket, 14), "\1\4user\7hunter2"s);
    socket.send("\1\1"s);
    EXPECT_EQ(socket.receive(), "") << "the request must not follow";
  });
  const auto failed =
      dial_and_wait(loop, through(to(80, "far.invalid"), ProxyKind::socks5h, proxy.port(), {"user", "hunter2"}));
  refuses.join();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::proxy_auth);
  EXPECT_NE(failed.error().message.find("it refused the credentials"), std::string::npos) << failed.error().message;
  EXPECT_EQ(failed.error().describe().find("hunter2"), std::string::npos);
}

TEST(DialSocks5, gives_up_on_a_proxy_that_never_answers) {
  Loop loop;
  const Listener silent;
  DialLimits limits;
  limits.proxy = 30ms;
  const auto failed = dial_and_wait(loop, through(to(80, "far.invalid"), ProxyKind::socks5h, silent.port()), limits);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_proxy);
}

}  // namespace
}  // namespace trunkline::net
