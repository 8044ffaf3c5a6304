#include "net/stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/descriptors.h"

namespace trunkline::net {
namespace {

constexpr int send_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
constexpr std::size_t parts_per_send = 16;

class TcpStream final : public Stream {
 public:
  explicit TcpStream(int fd) : fd_(fd), generation_(fork_generation()) {}
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;
  ~TcpStream() override {
    if (!is_ours()) return;  // closed at the fork
    forget_descriptor(fd_);
    ::close(fd_);
  }

  ReadResult read(Scratch& scratch) override { return receive(scratch, MSG_DONTWAIT); }
  ReadResult read_waiting(Scratch& scratch) override;
  WriteResult write(std::span<const std::string_view> parts) override;
  WriteResult flush() override { return {Io::ok, 0, {}}; }
  bool has_pending_output() const override { return false; }
  bool has_buffered_input() const override { return false; }
  std::uint64_t bytes_sent() const override { return bytes_sent_; }
  void farewell() override {}  // the close itself says it
  int fd() const override { return fd_; }

 private:
  // In a forked child the number may be another file's by now: what was the parent's touches nothing.
  bool is_ours() const { return generation_ == fork_generation(); }
  ReadResult receive(Scratch& scratch, int flags) const;
  ssize_t send(std::span<const std::string_view> parts, std::size_t& offered) const;

  const int fd_;
  const std::uint64_t generation_;
  std::uint64_t bytes_sent_ = 0;
  bool may_wait_ = false;  // the socket blocks, where a call does not say otherwise
};

std::error_code last_error() { return {errno, std::system_category()}; }

ReadResult TcpStream::read_waiting(Scratch& scratch) {
  if (!may_wait_ && is_ours()) {
    const timeval limit{waiting_limit.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) & ~O_NONBLOCK);
    may_wait_ = true;
  }
  return receive(scratch, 0);
}

ReadResult TcpStream::receive(Scratch& scratch, int flags) const {
  if (!is_ours()) return {.io = Io::failed, .error = std::make_error_code(std::errc::bad_file_descriptor)};
  ssize_t size;
  do {
    size = ::recv(fd_, scratch.wire.get(), Scratch::size, flags);
  } while (size < 0 && errno == EINTR && flags != 0);
  ReadResult result;
  if (size > 0) {
    result.io = Io::ok;
    result.bytes = {scratch.wire.get(), static_cast<std::size_t>(size)};
    result.drained = static_cast<std::size_t>(size) < Scratch::size;
  } else if (size == 0) {
    result.io = Io::closed;
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    result.io = Io::failed;
    result.error = last_error();
  }
  return result;
}

// One system call for as many parts as it takes.
ssize_t TcpStream::send(std::span<const std::string_view> parts, std::size_t& offered) const {
  if (parts.size() == 1) {  // the usual case, a head without a body: cheaper than sendmsg
    offered = parts[0].size();
    return ::send(fd_, parts[0].data(), offered, send_flags);
  }
  iovec vectors[parts_per_send];
  for (std::size_t i = 0; i < parts.size(); ++i) {
    vectors[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
    offered += parts[i].size();
  }
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = parts.size();
  return ::sendmsg(fd_, &message, send_flags);
}

WriteResult TcpStream::write(std::span<const std::string_view> parts) {
  if (!is_ours()) return {Io::failed, 0, std::make_error_code(std::errc::bad_file_descriptor)};
  WriteResult result;
  result.io = Io::ok;
  // Goes on until the socket is full: only then will an event say that there is room again.
  while (!parts.empty()) {
    const auto batch = parts.first(std::min(parts.size(), parts_per_send));
    std::size_t offered = 0;
    const ssize_t size = send(batch, offered);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        result.io = Io::failed;
        result.error = last_error();
      } else if (result.accepted == 0) {
        result.io = Io::again;
      }
      return result;
    }
    result.accepted += static_cast<std::size_t>(size);
    bytes_sent_ += static_cast<std::size_t>(size);
    if (static_cast<std::size_t>(size) < offered) return result;
    parts = parts.subspan(batch.size());
  }
  return result;
}

}  // namespace

std::unique_ptr<Stream> make_tcp_stream(int fd) { return std::make_unique<TcpStream>(fd); }

}  // namespace trunkline::net
