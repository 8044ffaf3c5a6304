// Where a server listens, and who takes the connections that come there: TCP addresses and unix sockets.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <trunkline/result.hpp>

#include "net/address.h"
#include "net/loop.h"

namespace trunkline::net {

struct ListenAddress {
  Address tcp;
  std::string unix_path;    // otherwise
  mode_t unix_mode = 0600;  // of the socket file, less the process's umask: who may connect
  bool is_unix() const { return !unix_path.empty(); }
  std::string text() const;  // as parse_listen_address reads it
};

// "127.0.0.1:8080", "[::1]:0", "unix:/run/it.sock". Names are refused, and so is a port without an address: to listen
// for others than this machine must be somebody's decision.
Result<ListenAddress> parse_listen_address(std::string_view text);

// A socket that listens. Its end closes it and removes the unix socket's file, if that is still its own.
class ListeningSocket {
 public:
  // `shared`: further sockets of this process will listen at the same TCP address, and the kernel spreads what comes
  // (SO_REUSEPORT). A unix socket's file is taken over when nobody listens behind it any more.
  static Result<ListeningSocket> open(const ListenAddress& address, bool shared, int backlog);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ~ListeningSocket();

  int fd() const { return fd_; }
  const ListenAddress& address() const { return address_; }  // with the port that the kernel chose for 0

 private:
  ListeningSocket() = default;
  void close();

  int fd_ = -1;
  ListenAddress address_;
  dev_t device_ = 0;  // of the unix socket's file
  ino_t inode_ = 0;
  std::uint64_t generation_ = 0;
};

// Takes connections on one loop. When the process has no descriptor left it pauses and leaves the others to the
// kernel's queue: they wait instead of failing, and nothing spins. All of it on the loop's thread.
class Acceptor final : public Watcher, public Timer {
 public:
  // The descriptor is non-blocking, noted, and the taker's from then on.
  using Taker = std::function<void(int fd, const Address& peer)>;

  // `paused`: told of each pause for want of descriptors.
  Acceptor(Loop& loop, ListeningSocket socket, Taker taker, std::function<void()> paused = {});
  ~Acceptor() override;  // on the loop's thread through Loop::retire, or when the loop has ended

  Result<void> start();
  // Takes what has already arrived, and then closes the socket.
  void stop();
  std::uint64_t pauses() const { return pauses_; }  // for want of descriptors

  void on_events(std::uint32_t events) override;
  void on_timer() override;

 private:
  void take_waiting(int most);
  void pause();

  Loop& loop_;
  ListeningSocket socket_;
  const Taker taker_;
  const std::function<void()> paused_;
  Clock::duration pause_{0};
  std::uint64_t pauses_ = 0;
  bool stopped_ = false;
};

}  // namespace trunkline::net
