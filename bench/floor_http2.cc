// The least program that speaks HTTP/2: nghttp2 on epoll in one thread, and nothing that a library must do: no pool, no
// limits, no time limits, no retries, no header table. What a request costs beyond this is what Trunkline costs.
//   epoll  CONCURRENCY streams, spread evenly over as many connections as CONNECTIONS says
// Environment: CONNECTIONS (1), BODY, WARM, HOLD. In clear, with prior knowledge.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "measure.h"

namespace {

using bench::Clock;
using bench::Samples;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}
void check(ssize_t result, const char* what) {
  if (result >= 0) return;
  std::fprintf(stderr, "%s: %s\n", what, nghttp2_strerror(static_cast<int>(result)));
  std::exit(1);
}

// http://ADDRESS:PORT/PATH, an IPv4 address and nothing else.
struct Target {
  sockaddr_in address{};
  std::string authority, path, body = bench::request_body(), length = std::to_string(body.size());
  std::vector<nghttp2_nv> fields;

  explicit Target(const std::string& url) {
    const auto host = url.find("://") + 3;
    const auto colon = url.find(':', host), slash = url.find('/', host);
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1))));
    if (inet_pton(AF_INET, url.substr(host, colon - host).c_str(), &address.sin_addr) != 1) die("address");
    authority = url.substr(host, slash - host);
    path = url.substr(slash);
    add(":method", body.empty() ? "GET" : "POST");
    add(":scheme", "http");
    add(":authority", authority);
    add(":path", path);
    add("user-agent", "floor/1");
    add("accept", "*/*");
    if (!body.empty()) add("content-length", length);
  }
  Target(const Target&) = delete;
  int connect() const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
  }

 private:
  static std::uint8_t* bytes(std::string_view text) {  // nghttp2 reads them only, for all that its type says
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  }
  void add(std::string_view name, std::string_view value) {
    const std::uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    fields.push_back({bytes(name), bytes(value), name.size(), value.size(), flags});
  }
};

struct Stream {
  long request = 0;
  Clock::time_point started;
  bool ok = false;
};

class Loop;

// One session and its socket. What one read has caused is written once.
class Connection {
 public:
  Connection(Loop& loop, const Target& target, const nghttp2_session_callbacks* callbacks)
      : loop_(loop), target_(target), fd_(target.connect()) {
    check(nghttp2_session_client_new(&session_, callbacks, this), "session");
    const nghttp2_settings_entry entries[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    check(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries, 1), "settings");
    // Else an update of the window would be due every 64 KB, which no client with responses to fetch leaves so.
    check(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 16 * 1024 * 1024), "window");
  }
  ~Connection() {
    nghttp2_session_del(session_);
    close(fd_);
  }
  Connection(const Connection&) = delete;
  int fd() const { return fd_; }

  void submit(Stream& stream) {
    nghttp2_data_provider body{{.ptr = nullptr}, give_body};
    check(nghttp2_submit_request(session_, nullptr, target_.fields.data(), target_.fields.size(),
                                 target_.body.empty() ? nullptr : &body, &stream),
          "request");
  }
  void receive(std::uint8_t* buffer, std::size_t size) {
    for (;;) {
      const ssize_t got = read(fd_, buffer, size);
      if (got == 0) die("the server closed");
      if (got < 0) break;
      check(nghttp2_session_mem_recv(session_, buffer, static_cast<std::size_t>(got)), "receive");
      if (static_cast<std::size_t>(got) < size) break;
    }
    flush();
  }
  void flush() {
    for (const std::uint8_t* bytes = nullptr; out_.size() < out_limit;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      check(size, "send");
      if (size == 0) break;
      out_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    if (out_.empty()) return;
    const ssize_t put = write(fd_, out_.data(), out_.size());
    if (put < 0 && errno != EAGAIN) die("write");
    if (put > 0) out_.erase(0, static_cast<std::size_t>(put));  // the rest when the socket has room: EPOLLOUT
  }

  static nghttp2_session_callbacks* make_callbacks() {
    nghttp2_session_callbacks* callbacks = nullptr;
    check(nghttp2_session_callbacks_new(&callbacks), "callbacks");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
  }

 private:
  static ssize_t give_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t size, std::uint32_t* flags,
                           nghttp2_data_source*, void* self) {
    const std::string& body = static_cast<Connection*>(self)->target_.body;
    if (body.size() > size) die("BODY is larger than a frame");
    *flags = NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(body.copy(reinterpret_cast<char*>(into), body.size()));
  }
  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t, void*) {
    if (name_size != 7 || std::memcmp(name, ":status", 7) != 0) return 0;
    auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
    stream->ok = value_size == 3 && std::memcmp(value, "200", 3) == 0;
    return 0;
  }
  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error, void* self);

  static constexpr std::size_t out_limit = 256 * 1024;
  Loop& loop_;
  const Target& target_;
  int fd_;
  nghttp2_session* session_ = nullptr;
  std::string out_;
};

class Loop {
 public:
  Loop(const Target& target, long streams, long connections)
      : streams_(static_cast<std::size_t>(streams)), callbacks_(Connection::make_callbacks()) {
    for (long i = 0; i < connections; ++i) {
      Connection& connection = *connections_.emplace_back(std::make_unique<Connection>(*this, target, callbacks_));
      epoll_event event{EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &connection}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd(), &event);
    }
  }

  ~Loop() {
    connections_.clear();
    nghttp2_session_callbacks_del(callbacks_);
    close(epoll_);
  }
  Loop(const Loop&) = delete;

  long run(Samples& samples) {
    samples_ = &samples;
    started_ = done_ = errors_ = 0;
    for (std::size_t i = 0; i < streams_.size(); ++i) start(*connections_[i % connections_.size()], streams_[i]);
    for (auto& connection : connections_) connection->flush();
    epoll_event events[64];
    while (done_ < samples.total()) {
      const int ready = epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < ready; ++i) {
        auto& connection = *static_cast<Connection*>(events[i].data.ptr);
        if (events[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) {
          connection.receive(buffer_.get(), buffer_size);
        } else {
          connection.flush();
        }
      }
    }
    return errors_;
  }
  void finish(Connection& connection, Stream& stream, bool ok) {
    samples_->set(stream.request, stream.started);
    errors_ += !ok;
    ++done_;
    start(connection, stream);
  }

 private:
  void start(Connection& connection, Stream& stream) {
    if (started_ == samples_->total()) return;
    stream = {started_++, Clock::now(), false};
    connection.submit(stream);
  }

  static constexpr std::size_t buffer_size = 64 * 1024;
  std::vector<Stream> streams_;
  nghttp2_session_callbacks* callbacks_;
  int epoll_ = epoll_create1(0);
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<std::uint8_t[]> buffer_ = std::make_unique<std::uint8_t[]>(buffer_size);
  Samples* samples_ = nullptr;
  long started_ = 0, done_ = 0, errors_ = 0;
};

int Connection::on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error, void* self) {
  auto& connection = *static_cast<Connection*>(self);
  auto& stream = *static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  connection.loop_.finish(connection, stream, error == NGHTTP2_NO_ERROR && stream.ok);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments = bench::parse_arguments(argc, argv, "epoll");
  const Target target(arguments.url);
  std::unique_ptr<Loop> loop;
  // Connections are opened inside the measurement, as every client's are, unless WARM has opened them before.
  bench::measure(arguments.total, [&](Samples& samples) {
    if (!loop) loop = std::make_unique<Loop>(target, arguments.concurrency, bench::setting("CONNECTIONS", 1));
    return loop->run(samples);
  });
  bench::hold();
}
