#include "support/counting_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <stdexcept>
#include <system_error>
#include <unordered_map>

namespace trunkline::test {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

struct Peer {
  int fd = -1;
  SSL* tls = nullptr;
  bool handshaken = false;
  bool closing = false;
  int requests = 0;
  int waiting_since_round = 0;
  std::string in;
  std::string out;
  SteadyTime answer_at{};  // of the response in `out`, when delayed
  SteadyTime idle_since{};
};

std::size_t content_length(std::string_view head) {
  constexpr std::string_view name = "\r\nContent-Length: ";
  const std::size_t at = head.find(name);
  return at == std::string_view::npos ? 0 : std::strtoul(head.data() + at + name.size(), nullptr, 10);
}

}  // namespace

// One thread, one epoll set. What has to happen at a time is looked for every few milliseconds.
class CountingServer::Worker {
 public:
  explicit Worker(CountingServer& server) : server_(server), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {.fd = server.listening_}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, server.listening_, &event);
  }
  ~Worker() {
    while (!clients_.empty()) drop(clients_.begin()->second);
    ::close(epoll_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run() {
    std::array<epoll_event, 256> events{};
    while (!server_.stopping_) {
      const bool delayed = server_.options_.delay.count() > 0;
      const int count = epoll_wait(epoll_, events.data(), events.size(), delayed ? 1 : 5);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == server_.listening_) {
          accept_all();
        } else if (const auto found = clients_.find(events[i].data.fd); found != clients_.end()) {
          serve(found->second);
        }
      }
      look_at_the_clock();
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = accept4(server_.listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int yes = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      ++server_.accepts_;
      const std::int64_t open = ++server_.open_;
      if (open > server_.most_open_) server_.most_open_ = open;
      Peer& client = clients_[fd];
      client.fd = fd;
      client.idle_since = std::chrono::steady_clock::now();
      client.waiting_since_round = server_.close_round_;
      if (server_.tls_ != nullptr) {
        client.tls = SSL_new(static_cast<SSL_CTX*>(server_.tls_));
        SSL_set_fd(client.tls, fd);
        SSL_set_accept_state(client.tls);
      }
      epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, .data = {.fd = fd}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  // Bytes moved, 0 for "later", -1 for the end.
  static ssize_t receive(Peer& client, char* into, int size) {
    if (client.tls == nullptr) {
      const ssize_t got = recv(client.fd, into, static_cast<std::size_t>(size), 0);
      return got > 0 ? got : got < 0 && errno == EAGAIN ? 0 : -1;
    }
    ERR_clear_error();
    const int got = SSL_read(client.tls, into, size);
    return got > 0 ? got : wants_more(client, got) ? 0 : -1;
  }

  static ssize_t transmit(Peer& client) {
    if (client.tls == nullptr) {
      const ssize_t put = send(client.fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
      return put > 0 ? put : put < 0 && errno == EAGAIN ? 0 : -1;
    }
    ERR_clear_error();
    const int put = SSL_write(client.tls, client.out.data(), static_cast<int>(client.out.size()));
    return put > 0 ? put : wants_more(client, put) ? 0 : -1;
  }

  static bool wants_more(Peer& client, int result) {
    const int error = SSL_get_error(client.tls, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  void serve(Peer& client) {
    std::array<char, 16384> bytes{};
    for (;;) {
      const ssize_t got = receive(client, bytes.data(), bytes.size());
      if (got < 0) return drop(client);
      if (got == 0) break;
      client.in.append(bytes.data(), static_cast<std::size_t>(got));
    }
    answer(client);
    flush(client);
  }

  void answer(Peer& client) {
    while (!client.closing) {
      const std::size_t end = client.in.find("\r\n\r\n");
      if (end == std::string::npos) return;
      const std::string_view head = std::string_view(client.in).substr(0, end + 2);
      const std::size_t size = end + 4 + content_length(head);
      if (client.in.size() < size) return;
      const std::size_t space = head.find(' ');
      const CountingOptions& options = server_.options_;
      const std::string target(head.substr(space + 1, head.find(' ', space + 1) - space - 1));
      const std::string& body = options.body.empty() ? target : options.body;
      client.in.erase(0, size);
      ++client.requests;
      ++server_.requests_;
      client.closing = options.requests_per_connection > 0 && client.requests >= options.requests_per_connection;
      client.out += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + options.more_fields +
                    (client.closing ? "Connection: close\r\n" : "") + "\r\n" + body;
      if (options.delay.count() > 0) client.answer_at = std::chrono::steady_clock::now() + options.delay;
    }
  }

  void flush(Peer& client) {
    if (client.answer_at > std::chrono::steady_clock::now()) return;
    while (!client.out.empty()) {
      const ssize_t put = transmit(client);
      if (put < 0) return drop(client);
      if (put == 0) return;
      client.out.erase(0, static_cast<std::size_t>(put));
    }
    client.idle_since = std::chrono::steady_clock::now();
    client.waiting_since_round = server_.close_round_;
    if (client.closing) end(client);
  }

  void look_at_the_clock() {
    const SteadyTime now = std::chrono::steady_clock::now();
    const std::chrono::milliseconds limit(server_.idle_close_ms_);
    const int round = server_.close_round_;
    if (limit.count() == 0 && round == seen_round_ && server_.options_.delay.count() == 0) return;
    seen_round_ = round;
    std::vector<int> fds;
    for (const auto& [fd, client] : clients_) fds.push_back(fd);
    for (const int fd : fds) {
      Peer& client = clients_.at(fd);
      if (!client.out.empty()) {
        flush(client);
      } else if (client.in.empty() && client.requests > 0 &&
                 (client.waiting_since_round != round || (limit.count() > 0 && now - client.idle_since >= limit))) {
        end(client);
      }
    }
  }

  void end(Peer& client) {
    if (client.tls != nullptr) SSL_shutdown(client.tls);
    drop(client);
  }

  void drop(Peer& client) {
    const int fd = client.fd;
    SSL_free(client.tls);
    ::close(fd);
    --server_.open_;
    clients_.erase(fd);
  }

  CountingServer& server_;
  int epoll_;
  int seen_round_ = 0;
  std::unordered_map<int, Peer> clients_;
};

CountingServer::CountingServer(const CountingOptions& options)
    : options_(options), idle_close_ms_(options.idle_close.count()) {
  if (options.certificate != nullptr) {
    SSL_CTX* const tls = SSL_CTX_new(TLS_server_method());
    tls_ = tls;
    SSL_CTX_use_certificate_file(tls, options.certificate->certificate_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(tls, options.certificate->key_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!options.client_ca.empty()) {
      SSL_CTX_load_verify_locations(tls, options.client_ca.c_str(), nullptr);
      SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    const unsigned char context[] = "counting";
    SSL_CTX_set_session_id_context(tls, context, sizeof context - 1);
  }
  listening_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(options.any_address ? INADDR_ANY : INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  socklen_t length = sizeof address;
  if (bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listening_, 4096) != 0) {
    throw std::system_error(errno, std::generic_category(), "counting server");
  }
  getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  for (int i = 0; i < options.threads; ++i) {
    threads_.emplace_back([this] {
      sigset_t pipe;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &pipe, nullptr);  // OpenSSL writes without MSG_NOSIGNAL
      Worker(*this).run();
    });
  }
}

CountingServer::~CountingServer() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  ::close(listening_);
  SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

std::string CountingServer::url(std::string_view host, std::string_view path) const {
  std::string url(options_.certificate != nullptr ? "https://" : "http://");
  url.append(host).append(":").append(std::to_string(port_)).append(path);
  return url;
}

}  // namespace trunkline::test
