#include "net/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/un.h>

#include <filesystem>

#include "base/test_folder.h"
#include "net/peers.h"

namespace trunkline::net {
namespace {

using peers::arrived;
using peers::on;
using peers::Socket;

std::string refusal(const std::string& text) {
  auto parsed = parse_listen_address(text);
  return parsed ? "" : parsed.error().message;
}

ListenAddress address_of(const std::string& text) { return parse_listen_address(text).value(); }

int dial_unix(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0) return fd;
  ::close(fd);
  return -1;
}

std::uint16_t port_of(const ListenAddress& address) {
  const std::string text = address.tcp.text();
  return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
}

TEST(ListenAddress, reads_tcp_addresses_and_unix_paths_as_it_prints_them) {
  for (const std::string text : {"127.0.0.1:8080", "[::1]:0", "0.0.0.0:65535", "unix:/run/it.sock"}) {
    EXPECT_EQ(address_of(text).text(), text);
  }
}

TEST(ListenAddress, refuses_a_port_without_an_address_and_says_what_to_write) {
  EXPECT_NE(refusal(":8080").find("127.0.0.1:8080"), std::string::npos);
}

TEST(ListenAddress, refuses_what_is_no_address) {
  for (const char* text : {"", "8080", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:80x", "::1:80", "[127.0.0.1]:80", "[::1:80", "unix:"}) {
    EXPECT_NE(refusal(text), "") << text;
  }
  EXPECT_NE(refusal("unix:/" + std::string(107, 'x')), "");
}

TEST(ListeningSocket, says_which_port_the_kernel_chose) {
  auto socket = ListeningSocket::open(address_of("127.0.0.1:0"), false, 8);
  ASSERT_TRUE(socket);
  EXPECT_NE(port_of(socket->address()), 0);
}

TEST(ListeningSocket, does_not_share_an_address_unless_asked) {
  auto first = ListeningSocket::open(address_of("127.0.0.1:0"), false, 8);
  ASSERT_TRUE(first);
  auto second = ListeningSocket::open(first->address(), true, 8);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another program"), std::string::npos) << second.error().message;
}

TEST(ListeningSocket, shares_an_address_when_asked) {
  auto first = ListeningSocket::open(address_of("127.0.0.1:0"), true, 8);
  ASSERT_TRUE(first);
  EXPECT_TRUE(ListeningSocket::open(first->address(), true, 8));
}

TEST(ListeningSocket, makes_a_unix_socket_for_its_user_alone_and_removes_it) {
  const TestFolder folder;
  const std::string path = folder.path("it.sock");
  {
    auto socket = ListeningSocket::open(address_of("unix:" + path), false, 8);
    ASSERT_TRUE(socket);
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const Socket peer(dial_unix(path));
    EXPECT_GE(peer.fd(), 0);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ListeningSocket, takes_over_the_file_of_a_program_that_was_killed) {
  const TestFolder folder;
  const std::string path = folder.path("it.sock");
  const int killed = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(killed, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ::close(killed);
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(ListeningSocket::open(address_of("unix:" + path), false, 8));
}

TEST(ListeningSocket, leaves_the_file_of_a_program_that_lives_and_files_that_are_no_sockets) {
  const TestFolder folder;
  const std::string path = folder.path("it.sock");
  auto first = ListeningSocket::open(address_of("unix:" + path), false, 8);
  ASSERT_TRUE(first);
  EXPECT_FALSE(ListeningSocket::open(address_of("unix:" + path), false, 8));
  EXPECT_TRUE(std::filesystem::exists(path));

  const std::string file = folder.path("notes");
  ::close(::open(file.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_FALSE(ListeningSocket::open(address_of("unix:" + file), false, 8));
  EXPECT_TRUE(std::filesystem::exists(file));
}

// An acceptor on a loop of its own, which keeps what it takes.
class Accepting {
 public:
  Accepting() {
    auto socket = ListeningSocket::open(address_of("127.0.0.1:0"), false, 512);
    port_ = port_of(socket->address());
    acceptor_ = std::make_unique<Acceptor>(
        loop_, std::move(*socket),
        [this](int fd, const Address& peer) {
          forget_descriptor(fd);
          taken_.emplace_back(fd);
          last_peer_ = peer.text();
          if (taken_.size() == wanted_) enough_.set_value();
        },
        [this] { ++told_of_pauses_; });
    on(loop_, [this] { EXPECT_TRUE(acceptor_->start()); });
  }
  ~Accepting() {
    on(loop_, [this] {
      acceptor_->stop();
      acceptor_.reset();
    });
  }
  std::future<void> wait_for(std::size_t count) {
    enough_ = {};
    auto future = enough_.get_future();
    on(loop_, [this, count] {
      wanted_ = count;
      if (taken_.size() == count) enough_.set_value();
    });
    return future;
  }
  Loop& loop() { return loop_; }
  Acceptor& acceptor() { return *acceptor_; }
  std::uint16_t port() const { return port_; }
  std::uint64_t told_of_pauses() const { return told_of_pauses_; }
  std::size_t taken() const { return taken_.size(); }
  const std::string& last_peer() const { return last_peer_; }

 private:
  std::uint16_t port_ = 0;
  std::vector<Socket> taken_;
  std::string last_peer_;
  std::uint64_t told_of_pauses_ = 0;
  std::size_t wanted_ = 0;
  std::promise<void> enough_;
  Loop loop_;
  std::unique_ptr<Acceptor> acceptor_;
};

Socket dial(std::uint16_t port) {
  Socket socket(peers::connect_to(port));
  forget_descriptor(socket.fd());
  return socket;
}

TEST(Acceptor, takes_every_connection_also_more_than_one_turn_holds) {
  Accepting accepting;
  std::vector<Socket> peers;
  auto enough = accepting.wait_for(200);
  for (int i = 0; i < 200; ++i) peers.push_back(dial(accepting.port()));
  ASSERT_TRUE(arrived(enough));
  EXPECT_EQ(accepting.last_peer().substr(0, 10), "127.0.0.1:");
}

TEST(Acceptor, takes_those_who_came_while_the_loop_was_busy_in_turns) {
  Accepting accepting;
  std::vector<Socket> peers;
  auto enough = accepting.wait_for(200);
  on(accepting.loop(), [&] {
    for (int i = 0; i < 200; ++i) peers.push_back(dial(accepting.port()));
  });
  EXPECT_TRUE(arrived(enough));
}

TEST(Acceptor, takes_who_has_arrived_when_it_stops_and_nobody_afterwards) {
  Accepting accepting;
  std::vector<Socket> peers;
  on(accepting.loop(), [&] {
    for (int i = 0; i < 5; ++i) peers.push_back(dial(accepting.port()));
    accepting.acceptor().stop();
  });
  EXPECT_EQ(accepting.taken(), 5u);
  EXPECT_ANY_THROW(dial(accepting.port()));
}

TEST(Acceptor, waits_while_the_process_has_no_descriptor_and_then_takes_all) {
  Accepting accepting;
  auto enough = accepting.wait_for(3);
  std::vector<Socket> peers;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  on(accepting.loop(), [&] {  // while it cannot accept
    for (int i = 0; i < 3; ++i) peers.push_back(dial(accepting.port()));
    rlimit none = before;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  });
  while (true) {
    std::uint64_t pauses = 0;
    on(accepting.loop(), [&] { pauses = accepting.acceptor().pauses(); });
    on(accepting.loop(), [&] { EXPECT_EQ(accepting.told_of_pauses(), accepting.acceptor().pauses()); });
    if (pauses >= 2) break;
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(arrived(enough));
}

}  // namespace
}  // namespace trunkline::net
