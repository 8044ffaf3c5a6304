// The least program that does the job, and nothing that a library must do: no pool, no limits, no time limits, no
// retries, no header table. What a request costs beyond this is what Trunkline costs.
//   epoll     one thread, CONCURRENCY connections, one write and one read per request
//   tls       the same through OpenSSL, with its bytes moved by us: one read and one write per request
//   blocking  CONCURRENCY threads, each with its own connection, write and read in place
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>

#include "measure.h"

namespace {

using bench::Clock;
using bench::Samples;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// http://ADDRESS:PORT/PATH, an IPv4 address and nothing else.
struct Target {
  sockaddr_in address{};
  std::string request;

  explicit Target(const std::string& url) {
    const auto host = url.find("://") + 3;
    const auto colon = url.find(':', host), slash = url.find('/', host);
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1))));
    if (inet_pton(AF_INET, url.substr(host, colon - host).c_str(), &address.sin_addr) != 1) die("address");
    const std::string body = bench::request_body();
    request = (body.empty() ? "GET " : "POST ") + url.substr(slash) +
              " HTTP/1.1\r\nHost: " + url.substr(host, slash - host) + "\r\nUser-Agent: floor/1\r\nAccept: */*\r\n" +
              (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
  }
  int connect() const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connect");
    return fd;
  }
};

// Finds the end of one response: the end of the head, Content-Length, and so many bytes of body.
class Response {
 public:
  // True when the response is complete. Copies only what a read has cut in the middle of a head.
  bool feed(std::string_view bytes) {
    if (body_left_ > 0) return take_body(bytes.size());
    if (!head_.empty()) {
      head_.append(bytes);
      return feed_head(std::string(std::move(head_)));
    }
    return feed_head(bytes);
  }
  bool ok() const { return ok_; }

 private:
  bool feed_head(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) {
      head_ = bytes;
      return false;
    }
    head_.clear();
    static constexpr std::string_view length = "Content-Length: ";
    const auto field = bytes.find(length);
    ok_ = bytes.substr(8, 5) == " 200 " && field < end;
    if (!ok_) return true;
    body_left_ = std::strtoul(bytes.data() + field + length.size(), nullptr, 10);
    return take_body(bytes.size() - end - 4);
  }
  bool take_body(std::size_t size) { return (body_left_ -= std::min(size, body_left_)) == 0; }

  std::string head_;
  std::size_t body_left_ = 0;
  bool ok_ = false;
};

// The two ways in which an epoll connection moves bytes. Each is one write and one read.
struct PlainWire {
  int fd;
  explicit PlainWire(const Target& target, SSL_CTX*) : fd(target.connect()) {}
  void send(const std::string& bytes) {
    if (write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) die("write");
  }
  template <class Consume>
  void receive(char* buffer, std::size_t size, Consume&& consume) {
    const ssize_t got = read(fd, buffer, size);
    if (got > 0) consume(std::string_view(buffer, static_cast<std::size_t>(got)));
    if (got == 0) die("the server closed");
  }
};

class TlsWire {
 public:
  int fd;
  TlsWire(const Target& target, SSL_CTX* context) : fd(target.connect()), ssl_(SSL_new(context)) {
    BIO* bio = BIO_new(method());
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    char buffer[16 * 1024];
    for (int done; (done = SSL_connect(ssl_)) != 1;) {
      if (SSL_get_error(ssl_, done) != SSL_ERROR_WANT_READ) die("TLS handshake");
      flush();
      const ssize_t got = read(fd, buffer, sizeof buffer);
      if (got <= 0) die("TLS handshake");
      in_ = {buffer, static_cast<std::size_t>(got)};
    }
    flush();
  }
  void send(const std::string& bytes) {
    if (SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) <= 0) die("SSL_write");
    flush();
  }
  template <class Consume>
  void receive(char* buffer, std::size_t size, Consume&& consume) {
    const ssize_t got = read(fd, buffer, size);
    if (got == 0) die("the server closed");
    if (got < 0) return;
    in_ = {buffer, static_cast<std::size_t>(got)};
    static char plain[64 * 1024];
    std::size_t filled = 0;
    for (int read; (read = SSL_read(ssl_, plain + filled, static_cast<int>(sizeof plain - filled))) > 0;) {
      filled += static_cast<std::size_t>(read);
    }
    if (filled > 0) consume(std::string_view(plain, filled));
  }

 private:
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "floor");
      BIO_meth_set_read_ex(m, [](BIO* bio, char* into, std::size_t size, std::size_t* got) {
        auto& self = *static_cast<TlsWire*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (self.in_.empty()) return BIO_set_retry_read(bio), 0;
        *got = self.in_.copy(into, size);
        self.in_.remove_prefix(*got);
        return 1;
      });
      BIO_meth_set_write_ex(m, [](BIO* bio, const char* from, std::size_t size, std::size_t* put) {
        static_cast<TlsWire*>(BIO_get_data(bio))->out_.append(from, size);
        *put = size;
        return 1;
      });
      BIO_meth_set_ctrl(m, [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH; });
      return m;
    }();
    return made;
  }
  void flush() {
    if (!out_.empty() && write(fd, out_.data(), out_.size()) != static_cast<ssize_t>(out_.size())) die("write");
    out_.clear();
  }

  SSL* ssl_;
  std::string_view in_;
  std::string out_;
};

SSL_CTX* tls_context() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_load_verify_locations(context, bench::setting("CA").c_str(), nullptr) != 1) die("CA");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return context;
}

template <class Wire>
class EpollLoop {
 public:
  EpollLoop(const Target& target, long concurrency, SSL_CTX* context) : target_(target), epoll_(epoll_create1(0)) {
    for (long i = 0; i < concurrency; ++i) {
      Connection& connection = *connections_.emplace_back(std::make_unique<Connection>(target, context));
      fcntl(connection.wire.fd, F_SETFL, O_NONBLOCK);
      epoll_event event{EPOLLIN | EPOLLET, {.ptr = &connection}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.wire.fd, &event);
    }
  }

  long run(Samples& samples) {
    long started = 0, done = 0, errors = 0;
    const auto start = [&](Connection& connection) {
      if (started == samples.total()) return;
      connection.request = started++;
      connection.started = Clock::now();
      connection.wire.send(target_.request);
    };
    for (auto& connection : connections_) start(*connection);
    epoll_event events[256];
    while (done < samples.total()) {
      const int ready = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < ready; ++i) {
        auto& connection = *static_cast<Connection*>(events[i].data.ptr);
        connection.wire.receive(buffer_.get(), buffer_size, [&](std::string_view bytes) {
          if (!connection.response.feed(bytes)) return;
          samples.set(connection.request, connection.started);
          errors += !connection.response.ok();
          ++done;
          start(connection);
        });
      }
    }
    return errors;
  }

 private:
  struct Connection {
    Connection(const Target& target, SSL_CTX* context) : wire(target, context) {}
    Wire wire;
    Response response;
    long request = 0;
    Clock::time_point started;
  };

  static constexpr std::size_t buffer_size = 64 * 1024;
  const Target& target_;
  int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(buffer_size);
};

long run_blocking(const Target& target, const std::vector<int>& sockets, Samples& samples) {
  std::atomic<long> next{0}, errors{0};
  std::vector<std::thread> callers;
  for (const int fd : sockets) {
    callers.emplace_back([&, fd] {
      char buffer[16 * 1024];
      for (long request; (request = next++) < samples.total();) {
        const auto started = Clock::now();
        if (write(fd, target.request.data(), target.request.size()) < 0) die("write");
        Response response;
        for (bool complete = false; !complete;) {
          const ssize_t got = read(fd, buffer, sizeof buffer);
          if (got <= 0) die("read");
          complete = response.feed({buffer, static_cast<std::size_t>(got)});
        }
        if (!response.ok()) ++errors;
        samples.set(request, started);
      }
    });
  }
  for (auto& caller : callers) caller.join();
  return errors;
}

// Connections are opened inside the measurement, as every client's are, unless WARM has opened them before.
template <class Wire>
void measure_epoll(const Target& target, const bench::Arguments& arguments, SSL_CTX* context) {
  std::unique_ptr<EpollLoop<Wire>> loop;
  bench::measure(arguments.total, [&](Samples& samples) {
    if (!loop) loop = std::make_unique<EpollLoop<Wire>>(target, arguments.concurrency, context);
    return loop->run(samples);
  });
  bench::hold();
}

void measure_blocking(const Target& target, const bench::Arguments& arguments) {
  std::vector<int> sockets;
  bench::measure(arguments.total, [&](Samples& samples) {
    while (static_cast<long>(sockets.size()) < arguments.concurrency) sockets.push_back(target.connect());
    return run_blocking(target, sockets, samples);
  });
  bench::hold();
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments = bench::parse_arguments(argc, argv, "epoll tls blocking");
  const Target target(arguments.url);
  if (arguments.mode == "tls") {
    measure_epoll<TlsWire>(target, arguments, tls_context());
  } else if (arguments.mode == "blocking") {
    measure_blocking(target, arguments);
  } else {
    measure_epoll<PlainWire>(target, arguments, nullptr);
  }
}
