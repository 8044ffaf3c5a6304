#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "net/descriptors.h"

namespace trunkline::net {
namespace {

constexpr int accepts_per_turn = 64;  // then the connections that are open have their turn
constexpr Clock::duration first_pause = std::chrono::milliseconds(20);
constexpr Clock::duration longest_pause = std::chrono::seconds(1);

Error refused(std::string message) { return {ErrorCode::invalid_options, Phase::prepare, std::move(message)}; }

Error failed(const ListenAddress& address, const char* what, int error) {
  std::string message = "cannot listen at " + address.text() + ": " + what + ": " +
                        std::error_code(error, std::generic_category()).message();
  if (error == EADDRINUSE) message += " (another program, or an earlier run of this one, listens there)";
  if (error == EACCES) message += " (ports below 1024 and foreign directories want privileges)";
  return {error == EMFILE || error == ENFILE ? ErrorCode::no_sockets : ErrorCode::connect_failed, Phase::connect,
          std::move(message)};
}

sockaddr_un unix_name(const std::string& path, socklen_t& length) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return name;
}

// A file that a program left behind when it was killed: nobody answers there any more.
bool is_abandoned(const sockaddr_un& name, socklen_t length) {
  struct stat status{};
  if (::lstat(name.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const bool refused = ::connect(fd, reinterpret_cast<const sockaddr*>(&name), length) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return refused;
}

int bind_unix(int fd, const ListenAddress& address) {
  socklen_t length = 0;
  const sockaddr_un name = unix_name(address.unix_path, length);
  ::fchmod(fd, address.unix_mode);  // before there is a file: there is no moment at which others could connect
  const auto* raw = reinterpret_cast<const sockaddr*>(&name);
  if (::bind(fd, raw, length) == 0) return 0;
  if (const int error = errno; error != EADDRINUSE || !is_abandoned(name, length)) return error;
  ::unlink(name.sun_path);
  return ::bind(fd, raw, length) == 0 ? 0 : errno;
}

int bind_tcp(int fd, ListenAddress& address, bool shared) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // "[::]:80" means what it says, and 0.0.0.0 beside it is free for another socket.
  if (address.tcp.family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd, address.tcp.data(), address.tcp.length) != 0) return errno;
  address.tcp.length = sizeof address.tcp.storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address.tcp.storage), &address.tcp.length);
  return 0;
}

}  // namespace

std::string ListenAddress::text() const { return is_unix() ? "unix:" + unix_path : tcp.text(); }

Result<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress address;
  constexpr std::string_view unix_prefix = "unix:";
  if (text.starts_with(unix_prefix)) {
    address.unix_path = text.substr(unix_prefix.size());
    if (address.unix_path.empty() || address.unix_path.size() >= sizeof(sockaddr_un::sun_path) ||
        address.unix_path.find('\0') != std::string::npos) {
      return refused("\"" + printable(text) + "\" names no unix socket: a path of 1 to 107 bytes must follow unix:");
    }
    return address;
  }
  const std::size_t colon = text.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  unsigned int port = 65536;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || stop != digits.data() + digits.size() || port > 65535) {
    return refused("\"" + printable(text) +
                   "\" is no address to listen at: write 127.0.0.1:8080, [::1]:8080 or unix:/path");
  }
  std::string_view ip = text.substr(0, colon);
  if (ip.empty()) {
    return refused("\"" + printable(text) + "\" names a port only: write 127.0.0.1" + printable(text) + ", or 0.0.0.0" +
                   printable(text) + " if other machines are to connect");
  }
  const bool bracketed = ip.starts_with('[') && ip.ends_with(']');
  if (bracketed) ip = ip.substr(1, ip.size() - 2);
  if (!Address::parse(ip, static_cast<std::uint16_t>(port), address.tcp) ||
      bracketed != (address.tcp.family() == AF_INET6)) {
    return refused("\"" + printable(text) +
                   "\" is no address to listen at: an IP address is wanted (IPv6 in brackets), not a name");
  }
  return address;
}

Result<ListeningSocket> ListeningSocket::open(const ListenAddress& address, bool shared, int backlog) {
  ListeningSocket socket;
  socket.address_ = address;
  const int family = address.is_unix() ? AF_UNIX : address.tcp.family();
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed(address, "socket", errno);
  note_descriptor(fd);
  socket.generation_ = fork_generation();
  socket.fd_ = fd;
  const int error = address.is_unix() ? bind_unix(fd, address) : bind_tcp(fd, socket.address_, shared);
  if (error != 0) return failed(address, "bind", error);
  if (address.is_unix()) {
    struct stat status{};
    if (::lstat(address.unix_path.c_str(), &status) == 0) {
      socket.device_ = status.st_dev;
      socket.inode_ = status.st_ino;
    }
  }
  if (::listen(fd, backlog) != 0) return failed(address, "listen", errno);
  return socket;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      address_(std::move(other.address_)),
      device_(other.device_),
      inode_(std::exchange(other.inode_, 0)),
      generation_(other.generation_) {}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    address_ = std::move(other.address_);
    device_ = other.device_;
    inode_ = std::exchange(other.inode_, 0);
    generation_ = other.generation_;
  }
  return *this;
}

ListeningSocket::~ListeningSocket() { close(); }

void ListeningSocket::close() {
  if (fd_ < 0 || generation_ != fork_generation()) return;  // in a forked child: closed there, and the file is not ours
  if (inode_ != 0) {
    struct stat status{};
    if (::lstat(address_.unix_path.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
      ::unlink(address_.unix_path.c_str());
    }
  }
  forget_descriptor(fd_);
  ::close(std::exchange(fd_, -1));
}

Acceptor::Acceptor(Loop& loop, ListeningSocket socket, Taker taker, std::function<void()> paused)
    : loop_(loop), socket_(std::move(socket)), taker_(std::move(taker)), paused_(std::move(paused)) {}

Acceptor::~Acceptor() = default;

Result<void> Acceptor::start() {
  if (loop_.add(socket_.fd(), *this, readable)) return {};
  return failed(socket_.address(), "epoll_ctl", errno);
}

void Acceptor::stop() {
  if (std::exchange(stopped_, true)) return;
  loop_.cancel_timer(*this);
  loop_.remove(socket_.fd());
  // Their handshakes are done: whoever is closed now would see a reset. What is to come of them is the taker's to say.
  take_waiting(SOMAXCONN);
  const ListeningSocket closed = std::move(socket_);
}

void Acceptor::on_events(std::uint32_t) {
  if (!stopped_ && !armed()) take_waiting(accepts_per_turn);
}

void Acceptor::on_timer() {
  if (!stopped_) take_waiting(accepts_per_turn);
}

void Acceptor::take_waiting(int most) {
  for (int taken = 0; taken < most;) {
    Address peer;
    peer.length = sizeof peer.storage;
    const int fd =
        ::accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      note_descriptor(fd);
      pause_ = {};
      ++taken;
      if (!socket_.address().is_unix()) {
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      }
      taker_(fd, peer);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // Whoever left before it was his turn, and what the network says of him (accept(2) lists them), is no trouble of
    // the socket's.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM || errno == EINVAL) {
      if (!stopped_) pause();
      return;
    }
    ++taken;
  }
  if (!stopped_) loop_.set_timer(*this, loop_.now());  // edge-triggered: nobody tells of those who still wait
}

void Acceptor::pause() {
  ++pauses_;
  if (paused_) paused_();
  pause_ = std::clamp(pause_ * 2, first_pause, longest_pause);
  loop_.set_timer(*this, loop_.now() + pause_);
}

}  // namespace trunkline::net
