#include "server/worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <utility>
#include <vector>

#include "net/descriptors.h"
#include "net/tls_server.h"
#include "server/connection.h"

namespace trunkline::server {
namespace {

constexpr std::string_view too_many =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

}  // namespace

Worker::Worker(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

Worker::~Worker() {
  std::promise<void> done;
  loop_.post([&] {
    for (const auto& acceptor : acceptors_) acceptor->stop();
    cut_all(ConnectionEnd::stopped);
    // In two steps, behind what the connections have put off to the end of the turn.
    loop_.retire([&] {
      acceptors_.clear();
      loop_.post([&] { done.set_value(); });
    });
  });
  done.get_future().get();
}

Gauges Worker::gauges() const {
  Gauges gauges = ledger_.gauges();
  gauges.accept_pauses = accept_pauses_.load(std::memory_order_relaxed);
  return gauges;
}

Result<void> Worker::listen(net::ListeningSocket socket, bool, std::function<void(int, std::string)> taker) {
  const bool is_unix = socket.address().is_unix();
  acceptors_.push_back(std::make_unique<net::Acceptor>(
      loop_, std::move(socket),
      [taker = std::move(taker), is_unix](int fd, const net::Address& peer) {
        taker(fd, is_unix ? std::string("unix") : peer.text());
      },
      [this] { accept_pauses_.fetch_add(1, std::memory_order_relaxed); }));
  return acceptors_.back()->start();
}

void Worker::adopt(int fd, std::string peer, bool secure) {
  if (shared_->connections.fetch_add(1) >= settings().limits.connections) {
    shared_->connections.fetch_sub(1);
    refuse(fd, secure);
    return;
  }
  std::unique_ptr<net::Stream> stream = net::make_tcp_stream(fd);
  net::TlsStream* handshake = nullptr;
  if (secure) {
    auto tls = net::make_tls_server_stream(std::move(stream), shared_->tls->context());
    handshake = tls.get();
    stream = std::move(tls);
  }
  auto connection = std::make_unique<Connection>(*this, std::move(stream), std::move(peer));
  Connection& made = *connection.release();  // the list's, until forget()
  made.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &made;
  first_ = &made;
  made.begin(handshake);
}

// In clear the answer fits into any socket's buffer. Over TLS it would cost a handshake, which is what there is no room
// for.
void Worker::refuse(int fd, bool secure) {
  ConnectionToken token(ledger_);
  token.because(ConnectionEnd::over_limit);
  if (!secure) {
    ::send(fd, too_many.data(), too_many.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // What the client has sent is read, or the close would be a reset, and the answer lost.
    char unread[4096];
    ::shutdown(fd, SHUT_WR);
    [[maybe_unused]] const auto ignored = ::recv(fd, unread, sizeof unread, MSG_DONTWAIT);
  }
  net::forget_descriptor(fd);
  ::close(fd);
}

void Worker::forget(Connection& connection) {
  (connection.previous_ != nullptr ? connection.previous_->next_ : first_) = connection.next_;
  if (connection.next_ != nullptr) connection.next_->previous_ = connection.previous_;
  connection.previous_ = connection.next_ = nullptr;
  shared_->connections.fetch_sub(1);
  loop_.retire([owned = std::unique_ptr<Connection>(&connection)] {});
}

std::string_view Worker::date() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != date_second_) {
    date_second_ = now.tv_sec;
    std::tm utc{};
    ::gmtime_r(&now.tv_sec, &utc);
    constexpr std::string_view days = "SunMonTueWedThuFriSat";
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[64];  // by hand: strftime speaks the program's language
    const int size = std::snprintf(text, sizeof text, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT",
                                   days.data() + std::ptrdiff_t{3} * utc.tm_wday, utc.tm_mday,
                                   months.data() + std::ptrdiff_t{3} * utc.tm_mon, utc.tm_year + 1900, utc.tm_hour,
                                   utc.tm_min, utc.tm_sec);
    date_.assign(text, static_cast<std::size_t>(size));
  }
  return date_;
}

void Worker::stop_listening() {
  for (auto& acceptor : acceptors_) {
    acceptor->stop();
    loop_.retire([owned = std::move(acceptor)] {});
  }
  acceptors_.clear();
}

// What one connection's handlers hear may end others; those live until the end of the turn.
void Worker::drain() {
  std::vector<Connection*> all;
  for (Connection* connection = first_; connection != nullptr; connection = connection->next_)
    all.push_back(connection);
  for (Connection* connection : all) connection->drain();
}

// From the front each time: what one connection's handlers hear may end others.
void Worker::cut_all(ConnectionEnd why) {
  while (first_ != nullptr) first_->cut(why);
}

}  // namespace trunkline::server
