#include "net/dial.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <list>

#include "net/dial_peers.h"
#include "net/resolver.h"
#include "net/resolver_fixture.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using peers::dial_and_wait;
using peers::Listener;
using peers::secure;
using peers::Socket;
using peers::to;

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

struct Nobody final : Watcher {
  void on_events(std::uint32_t) override {}
};

// A listener whose queue is full: who connects now gets no answer, as behind a firewall that drops.
class BlackHole {
 public:
  explicit BlackHole(const char* address = "127.0.0.1") : listener_(0, address) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(listener_.port());
    ::inet_pton(AF_INET, address, &name.sin_addr);
    for (int i = 0; i < 3; ++i) {
      fillers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(fillers_.back().fd(), reinterpret_cast<sockaddr*>(&name), sizeof name);
    }
  }
  std::uint16_t port() const { return listener_.port(); }

 private:
  Listener listener_;
  std::list<Socket> fillers_;
};

TEST(Dial, connects_to_a_literal_and_hands_the_socket_over) {
  Loop loop;
  const Listener listener;
  auto dialled = dial_and_wait(loop, to(listener.port()));
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(dialled->address, "127.0.0.1:" + std::to_string(listener.port()));
  EXPECT_EQ(dialled->alpn, "");
  EXPECT_EQ(dialled->tls, "");
  EXPECT_EQ(dialled->resolve, 0ns);
  const int fd = dialled->stream->fd();
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0) << "a peer that does not read is write_stall's to judge";
  EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
  // Registered nowhere: the next owner can.
  Nobody nobody;
  EXPECT_TRUE(loop.add(fd, nobody));
  loop.remove(fd);
  peers::on(loop, [] {});
}

TEST(Dial, resolves_a_name_and_tries_the_addresses_in_turn) {
  Loop loop;
  const Listener listener;  // on IPv4 only: where localhost is also ::1, that is refused first
  auto dialled = dial_and_wait(loop, to(listener.port(), "localhost"));
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(dialled->address, "127.0.0.1:" + std::to_string(listener.port()));
}

TEST(Dial, does_not_wait_for_an_address_that_is_silent) {
  Loop loop;
  const BlackHole hole("127.0.0.5");
  const Listener good(64, "127.0.0.6", hole.port());
  DialTarget target = to(hole.port(), "far.invalid");
  target.address_override = "127.0.0.5,127.0.0.6";
  auto dialled = dial_and_wait(loop, target);
  ASSERT_TRUE(dialled) << dialled.error().describe();
  EXPECT_EQ(dialled->address, "127.0.0.6:" + std::to_string(hole.port()));
  EXPECT_GE(dialled->connect, 250ms);
  EXPECT_LT(dialled->connect, 5s);
}

// The pool has counted one socket for each dial; one more for each is expected of it.
TEST(Dial, silent_addresses_do_not_multiply_the_sockets) {
  Loop loop;
  const BlackHole hole("127.0.0.5");
  DialTarget target = to(hole.port(), "far.invalid");
  for (int i = 0; i < 8; ++i) target.address_override += (i > 0 ? ",127.0.0.5" : "127.0.0.5");
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  constexpr int dials = 100;
  std::atomic<int> failed{0};
  std::ptrdiff_t most = 0;
  std::promise<void> over;
  peers::on(loop, [&] {
    for (int i = 0; i < dials; ++i) {
      dial(loop, std::make_shared<const DialTarget>(target), {.connect = 1500ms}, [&](const Result<Dialled>& dialled) {
        EXPECT_FALSE(dialled);
        if (failed == 0) most = descriptors() - before;  // none has let go of its sockets before
        if (++failed == dials) over.set_value();
      });
    }
  });
  over.get_future().wait();
  EXPECT_LE(most, 2 * dials + 64);
  EXPECT_GE(most, 2 * dials) << "all were at it, and not with their first address only";
}

TEST(Dial, names_every_address_that_failed) {
  Loop loop;
  Listener listener;
  listener.close();
  const std::string port = std::to_string(listener.port());
  DialTarget target = to(listener.port(), "far.invalid");
  target.address_override = "127.0.0.5,127.0.0.6";
  const auto failed = dial_and_wait(loop, target);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message,
            "cannot connect to 127.0.0.5:" + port + ": Connection refused; 127.0.0.6:" + port + ": Connection refused");
}

TEST(Dial, bounds_all_addresses_together) {
  Loop loop;
  const BlackHole hole("127.0.0.5");
  DialTarget target = to(hole.port(), "far.invalid");
  target.address_override = "127.0.0.6,127.0.0.5";  // refused, then silent
  DialLimits limits;
  limits.connect = 30ms;
  const auto failed = dial_and_wait(loop, target, limits);
  ASSERT_FALSE(failed);
  const std::string port = std::to_string(hole.port());
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_connect);
  EXPECT_EQ(failed.error().message,
            "no answer from 127.0.0.5:" + port + " within 30ms; 127.0.0.6:" + port + ": Connection refused");
}

TEST(Dial, uses_the_address_given_instead_of_resolving) {
  Loop loop;
  const Listener listener;
  DialTarget target = to(listener.port(), "does-not-exist.invalid");
  target.address_override = "127.0.0.1";
  EXPECT_TRUE(dial_and_wait(loop, target));
  target.address_override = "not-an-address";
  const auto refused = dial_and_wait(loop, target);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_options);
}

TEST(Dial, comes_from_the_address_it_is_bound_to) {
  Loop loop;
  const Listener listener;
  DialTarget target = to(listener.port());
  target.bind_address = "127.0.0.7";
  auto dialled = dial_and_wait(loop, target);
  ASSERT_TRUE(dialled) << dialled.error().describe();
  sockaddr_in name{};
  socklen_t size = sizeof name;
  ::getsockname(dialled->stream->fd(), reinterpret_cast<sockaddr*>(&name), &size);
  EXPECT_EQ(ntohl(name.sin_addr.s_addr), 0x7f000007u);
  EXPECT_EQ(dialled->local_address, "127.0.0.7:" + std::to_string(ntohs(name.sin_port)));

  for (const char* bad : {"192.0.2.77", "::1", "nonsense"}) {
    target.bind_address = bad;
    const auto refused = dial_and_wait(loop, target);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::connect_failed);
    EXPECT_NE(refused.error().message.find(bad), std::string::npos) << refused.error().message;
  }
}

TEST(Dial, says_who_refused) {
  Loop loop;
  Listener listener;
  listener.close();
  const auto refused = dial_and_wait(loop, to(listener.port()));
  ASSERT_FALSE(refused);
  const std::string address = "127.0.0.1:" + std::to_string(listener.port());
  EXPECT_EQ(refused.error().code, ErrorCode::connect_failed);
  EXPECT_EQ(refused.error().phase, Phase::connect);
  EXPECT_EQ(refused.error().address, address);
  EXPECT_EQ(refused.error().message, "cannot connect to " + address + ": Connection refused");
}

TEST(Dial, says_which_name_does_not_resolve) {
  Loop loop;
  const auto failed = dial_and_wait(loop, to(80, "does-not-exist.invalid"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::resolve_failed);
  EXPECT_EQ(failed.error().phase, Phase::resolve);
  EXPECT_EQ(failed.error().address, "");
}

TEST(Dial, gives_up_on_an_address_that_never_answers) {
  Loop loop;
  const BlackHole hole;
  DialLimits limits;
  limits.connect = 40ms;
  const auto failed = dial_and_wait(loop, to(hole.port()), limits);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_connect);
  EXPECT_EQ(failed.error().phase, Phase::connect);
  EXPECT_EQ(failed.error().message, "no answer from 127.0.0.1:" + std::to_string(hole.port()) + " within 40ms");
  EXPECT_GE(failed.error().elapsed, 40ms);
}

TEST(Dial, gives_up_on_a_name_server_that_never_answers) {
  Loop loop;
  const peers::Socket silent(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  ASSERT_EQ(::bind(silent.fd(), reinterpret_cast<sockaddr*>(&name), size), 0);
  ASSERT_EQ(::getsockname(silent.fd(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  DnsSetup setup;
  setup.servers = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
  use_dns_for_tests(setup);
  DialLimits limits;
  limits.resolve = 20ms;
  const auto failed = dial_and_wait(loop, to(80, "slow.test"), limits);
  use_dns_for_tests({});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_resolve);
  EXPECT_EQ(failed.error().phase, Phase::resolve);
}

using DialNames = peers::ResolverTest;

TEST_F(DialNames, a_rooted_name_is_not_searched_for) {
  write("resolv.conf", "search one.test\n");
  start();
  server.set("db.one.test", {"127.0.0.1"});
  Loop loop;
  const Listener listener;
  DialTarget target = to(listener.port(), "db");
  EXPECT_TRUE(dial_and_wait(loop, target));
  target.rooted = true;
  const auto failed = dial_and_wait(loop, target);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::resolve_failed);
}

TEST(Dial, says_what_to_do_when_no_descriptor_is_left) {
  Loop loop;
  const Listener listener;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 3;  // all of them are in use
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto failed = dial_and_wait(loop, to(listener.port()));
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::no_sockets);
  EXPECT_EQ(failed.error().kind, ErrorKind::overloaded);
  EXPECT_NE(failed.error().message.find("raise RLIMIT_NOFILE"), std::string::npos) << failed.error().message;
}

TEST(Dial, for_want_of_a_descriptor_a_second_address_waits_and_the_first_goes_on) {
  Loop loop;
  const BlackHole hole("127.0.0.5");
  DialTarget target = to(hole.port(), "far.invalid");
  target.address_override = "127.0.0.5,127.0.0.6";
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit one_more = before;
  one_more.rlim_cur = static_cast<rlim_t>(Socket(::dup(0)).fd()) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);
  const auto failed = dial_and_wait(loop, target, {.connect = 800ms});
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_connect) << failed.error().message;
}

TEST(Dial, does_not_take_a_missing_network_for_a_want_of_ports) {
  Loop loop;
  bool ready = false;
  peers::on(loop, [&] { ready = ::unshare(CLONE_NEWNET) == 0; });  // with nothing in it, not even ::1
  if (!ready) GTEST_SKIP() << "needs the right to make a network namespace";
  const auto failed = dial_and_wait(loop, to(80, "::1"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "cannot connect to [::1]:80: Cannot assign requested address");
  EXPECT_EQ(failed.error().code, ErrorCode::connect_failed);
}

TEST(Dial, says_what_to_do_when_no_port_is_left) {
  Loop loop;
  // A network of its own for the loop's thread, with one local port.
  bool ready = false;
  std::unique_ptr<Listener> listener;
  peers::on(loop, [&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    const Socket any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq up{};
    std::snprintf(up.ifr_name, sizeof up.ifr_name, "lo");
    up.ifr_flags = IFF_UP;
    if (::ioctl(any.fd(), SIOCSIFFLAGS, &up) != 0) return;
    listener = std::make_unique<Listener>();
    std::ofstream range("/proc/sys/net/ipv4/ip_local_port_range");
    const int port = listener->port() == 50'000 ? 50'001 : 50'000;
    ready = static_cast<bool>(range << port << ' ' << port << std::endl);
  });
  if (!ready) GTEST_SKIP() << "needs the right to make a network namespace";
  auto first = dial_and_wait(loop, to(listener->port()));
  ASSERT_TRUE(first) << first.error().describe();
  const auto second = dial_and_wait(loop, to(listener->port()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::no_ports);
  EXPECT_EQ(second.error().kind, ErrorKind::overloaded);
  EXPECT_TRUE(second.error().message.starts_with("no ephemeral port is left for 127.0.0.1:"));
  EXPECT_NE(second.error().message.find("net.ipv4.ip_local_port_range"), std::string::npos);
}

TEST(Dial, ends_with_its_loop_and_leaves_no_socket_open) {
  const BlackHole hole;
  int next_free = 0;
  {
    Socket probe(::dup(0));
    next_free = probe.fd();
  }
  {
    Loop loop;
    for (int i = 0; i < 3; ++i) {
      peers::on(loop, [&] {
        dial(loop, std::make_shared<const DialTarget>(to(hole.port())), {}, [](auto) { FAIL() << "was called"; });
      });
    }
  }
  const Socket probe(::dup(0));
  EXPECT_EQ(probe.fd(), next_free);
}

TEST(DialTls, shakes_hands_and_says_what_was_agreed) {
  Loop loop;
  const peers::Authority authority;
  const peers::TlsServer server({authority.issue(), 0, {}, "http/1.1", 0}, peers::echo);
  DialTarget target = secure(server.port(), authority);
  target.alpn = {"h2", "http/1.1"};
  for (int i = 0; i < 2; ++i) {
    auto dialled = dial_and_wait(loop, target);
    ASSERT_TRUE(dialled) << dialled.error().describe();
    EXPECT_EQ(dialled->alpn, "http/1.1");
    EXPECT_TRUE(dialled->tls.starts_with("TLSv1.3 ")) << dialled->tls;
    EXPECT_EQ(dialled->tls.ends_with(", resumed"), i == 1);
    EXPECT_GT(dialled->handshake, 0ns);
    const std::string_view text = "hello";
    dialled->stream->write({&text, 1});
    ReadResult got;
    do {
      peers::wait_for(dialled->stream->fd(), POLLIN);
      got = dialled->stream->read(Scratch::of_this_thread());
    } while (got.io == Io::again);
    EXPECT_EQ(got.bytes, "hello");
  }
}

TEST(DialTls, tells_distrust_from_other_failures) {
  Loop loop;
  const peers::Authority authority;
  {
    const peers::TlsServer server({authority.issue(), 0, {}, {}, 0}, peers::echo);
    const auto failed = dial_and_wait(loop, secure(server.port(), peers::Authority("another")));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::tls_untrusted);
    EXPECT_EQ(failed.error().phase, Phase::tls);
    EXPECT_EQ(failed.error().address, "127.0.0.1:" + std::to_string(server.port()));
    EXPECT_TRUE(failed.error().message.starts_with("TLS with 127.0.0.1 failed: unable to get local issuer"));
  }
  const Listener listener;
  std::thread server([&] {
    const Socket peer = listener.accept();
    peer.receive();
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const auto failed = dial_and_wait(loop, secure(listener.port(), authority));
  server.join();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::tls_failed);
  EXPECT_NE(failed.error().message.find("not TLS"), std::string::npos) << failed.error().message;
}

TEST(DialTls, gives_up_on_a_peer_that_never_finishes_the_handshake) {
  Loop loop;
  const Listener tarpit;
  DialLimits limits;
  limits.tls = 30ms;
  const auto failed = dial_and_wait(loop, secure(tarpit.port(), peers::Authority()), limits);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::timeout_tls);
  EXPECT_EQ(failed.error().phase, Phase::tls);
}

TEST(DialTls, reports_settings_that_make_no_context) {
  Loop loop;
  const Listener listener;
  DialTarget target = secure(listener.port(), peers::Authority());
  TlsMaterial material;
  material.system_roots = false;
  material.ca_pem = "nonsense";
  target.tls = std::make_shared<LazyTlsContext>(material);
  const auto failed = dial_and_wait(loop, target);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::invalid_options);
  EXPECT_EQ(failed.error().phase, Phase::tls);
}

}  // namespace
}  // namespace trunkline::net
