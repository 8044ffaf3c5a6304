#include "support/h2_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <system_error>
#include <unordered_map>

#include "support/faultd.h"

namespace trunkline::test {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kept_body = 65536;
constexpr std::size_t enough_output = 256 * 1024;  // before more is made, so that bodies of 1 GiB need no memory

// "/size/12", "/size/" -> 12.
std::optional<long> number_after(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  return std::strtol(std::string(path.substr(prefix.size())).c_str(), nullptr, 10);
}

std::string text(const std::uint8_t* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

class H2Server::Worker {
 public:
  explicit Worker(H2Server& server) : server_(server), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    watch(server.listening_, EPOLLIN, EPOLL_CTL_ADD);
    watch(server.wake_, EPOLLIN, EPOLL_CTL_ADD);
  }
  ~Worker() {
    while (!connections_.empty()) drop(*connections_.begin()->second);
    ::close(epoll_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run() {
    std::array<epoll_event, 64> events{};
    while (!server_.stopping_) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), time_left());
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == server_.listening_) {
          accept_all();
        } else if (fd == server_.wake_) {
          take_orders();
        } else if (const auto found = connections_.find(fd); found != connections_.end()) {
          serve(*found->second, events[i].events);
        }
      }
      answer_what_is_due();
    }
  }

  // --- orders

  void set_limit(std::uint32_t streams) {
    limit_ = streams;
    for_all([this](Connection& connection) { submit_settings(connection); });
  }
  void send_settings() {
    may_speak_ = true;
    for_all([](Connection&) {});
  }
  void release() {
    gate_open_ = true;
    for_all([this](Connection& connection) {
      std::vector<Stream*> held;
      for (auto& [id, stream] : connection.streams) {
        if (stream.held) held.push_back(&stream);
      }
      for (Stream* stream : held) let_go(connection, *stream);
    });
  }
  void goaway() {
    for_all([this](Connection& connection) { submit_goaway(connection); });
  }
  void hang_up(bool reset) {
    std::vector<Connection*> all;
    for (const auto& [fd, connection] : connections_) all.push_back(connection.get());
    for (Connection* connection : all) {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      if (reset) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      drop(*connection);
    }
  }
  void black_hole() {
    for (const auto& [fd, connection] : connections_) {
      connection->hole = true;
      watch(fd, EPOLLRDHUP, EPOLL_CTL_MOD);  // that the client leaves is still seen
    }
  }

 private:
  struct Connection;

  struct Stream {
    Connection* connection = nullptr;
    std::int32_t id = 0;
    std::size_t entry = 0;  // in the log
    std::string method;
    std::string path;
    std::int64_t body_bytes = 0;  // received
    std::size_t unconsumed = 0;   // of these, by a deaf handler
    bool held = false;
    bool told = false;  // its handler ran
    // The answer.
    std::string body;
    std::int64_t size = 0;
    std::int64_t sent = 0;
    bool waits = false;  // for release(), before its body
    bool reset_after = false;
    std::vector<std::pair<std::string, std::string>> trailers;
  };

  struct Connection {
    Worker* worker = nullptr;
    int id = 0;
    int fd = -1;
    SSL* tls = nullptr;
    nghttp2_session* session = nullptr;
    std::unordered_map<std::int32_t, Stream> streams;
    std::string out;
    bool handshaken = false;
    bool hole = false;
    bool said_all = false;  // our FIN is out
    bool warned = false;
    bool failed = false;
    int requests = 0;
    int pings_in_a_row = 0;
    int resets_in_a_row = 0;
    std::int32_t last_stream = 0;
    std::int32_t goaway_last = -1;
  };

  struct Due {
    SteadyTime at;
    int fd;
    int connection;
    std::int32_t stream;
    bool operator<(const Due& other) const { return at < other.at; }
  };

  void watch(int fd, std::uint32_t events, int operation) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    epoll_ctl(epoll_, operation, fd, &event);
  }

  template <class Action>
  void for_all(Action action) {
    std::vector<int> fds;
    for (const auto& [fd, connection] : connections_) fds.push_back(fd);
    for (const int fd : fds) {
      const auto found = connections_.find(fd);
      if (found == connections_.end() || found->second->hole || !found->second->handshaken) continue;
      action(*found->second);
      flush(*found->second);
    }
  }

  void take_orders() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(server_.wake_, &count, sizeof count);
    std::vector<std::function<void(Worker&)>> orders;
    {
      std::lock_guard lock(server_.mutex_);
      orders.swap(server_.orders_);
    }
    for (const auto& order : orders) order(*this);
  }

  int time_left() const {
    if (due_.empty()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due_.begin()->at - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count()));
  }

  void answer_what_is_due() {
    std::set<int> touched;
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!due_.empty() && due_.begin()->at <= now) {
      const Due due = *due_.begin();
      due_.erase(due_.begin());
      const auto found = connections_.find(due.fd);
      if (found == connections_.end() || found->second->id != due.connection) continue;
      const auto stream = found->second->streams.find(due.stream);
      if (stream == found->second->streams.end()) continue;
      answer(*found->second, stream->second);
      touched.insert(due.fd);
    }
    for (const int fd : touched) flush(*connections_.at(fd));
  }

  // --- connections

  void accept_all() {
    for (;;) {
      const int fd = accept4(server_.listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int yes = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      auto made = std::make_unique<Connection>();
      Connection& connection = *made;
      connection.worker = this;
      connection.fd = fd;
      {
        std::lock_guard lock(server_.mutex_);
        connection.id = static_cast<int>(server_.connections_.size()) + 1;
        server_.connections_.emplace_back().id = connection.id;
      }
      connections_[fd] = std::move(made);
      watch(fd, EPOLLIN, EPOLL_CTL_ADD);
      ++server_.open_;
      ++server_.accepts_;
      if (server_.tls_ != nullptr) {
        connection.tls = SSL_new(static_cast<SSL_CTX*>(server_.tls_));
        SSL_set_fd(connection.tls, fd);
        SSL_set_accept_state(connection.tls);
      } else {
        begin(connection);
        flush(connection);
      }
    }
  }

  void begin(Connection& connection) {
    connection.handshaken = true;
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);  // a deaf handler takes nothing
    constexpr std::uint64_t any_number = 1U << 30U;
    if (server_.options_.lets_cancel) nghttp2_option_set_stream_reset_rate_limit(option, any_number, any_number);
    nghttp2_session_server_new2(&connection.session, callbacks(), &connection, option);
    nghttp2_option_del(option);
    submit_settings(connection);
  }

  void submit_settings(Connection& connection) {
    const nghttp2_settings_entry limit{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limit_.value_or(0)};
    nghttp2_submit_settings(connection.session, NGHTTP2_FLAG_NONE, &limit, limit_ ? 1 : 0);
  }

  void submit_goaway(Connection& connection) {
    if (connection.goaway_last >= 0) return;
    connection.goaway_last = connection.last_stream;
    nghttp2_submit_goaway(connection.session, NGHTTP2_FLAG_NONE, connection.last_stream, NGHTTP2_NO_ERROR, nullptr, 0);
    if (!connection.warned) ++server_.goaways_sent_;
  }

  void drop(Connection& connection) {
    const int fd = connection.fd;
    nghttp2_session_del(connection.session);
    server_.streams_ -= static_cast<std::int64_t>(connection.streams.size());
    server_.held_ -= std::count_if(connection.streams.begin(), connection.streams.end(),
                                   [](const auto& each) { return each.second.held; });
    SSL_free(connection.tls);
    ::close(fd);
    noted(connection)->open = false;
    connections_.erase(fd);
    --server_.open_;
  }

  // Its record in the log, which this thread alone adds to.
  struct Noted {
    std::unique_lock<std::mutex> lock;
    H2Connection& record;
    H2Connection* operator->() { return &record; }
  };
  Noted noted(Connection& connection) {
    std::unique_lock lock(server_.mutex_);
    H2Connection& record = server_.connections_[static_cast<std::size_t>(connection.id) - 1];
    return {std::move(lock), record};
  }

  void serve(Connection& connection, std::uint32_t events) {
    if (connection.hole) {
      if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) drop(connection);
      return;
    }
    if (connection.tls != nullptr && !connection.handshaken) {
      ERR_clear_error();
      const int result = SSL_do_handshake(connection.tls);
      if (result != 1) {
        const int error = SSL_get_error(connection.tls, result);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) drop(connection);
        return;
      }
      begin(connection);
    }
    std::array<std::uint8_t, 65536> bytes;
    for (;;) {
      const ssize_t got = receive(connection, bytes.data(), bytes.size());
      if (got < 0) return drop(connection);
      if (got == 0) break;
      if (connection.said_all) continue;  // until the client leaves
      if (nghttp2_session_mem_recv(connection.session, bytes.data(), static_cast<std::size_t>(got)) < 0) {
        connection.failed = true;
        break;
      }
    }
    flush(connection);
  }

  // Bytes moved, 0 for "later", -1 for the end.
  static ssize_t receive(Connection& connection, std::uint8_t* into, std::size_t size) {
    if (connection.tls == nullptr) {
      const ssize_t got = recv(connection.fd, into, size, 0);
      return got > 0 ? got : got < 0 && errno == EAGAIN ? 0 : -1;
    }
    ERR_clear_error();
    const int got = SSL_read(connection.tls, into, static_cast<int>(size));
    return got > 0 ? got : wants_more(connection, got) ? 0 : -1;
  }

  static ssize_t transmit(Connection& connection) {
    if (connection.tls == nullptr) {
      const ssize_t put = send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      return put > 0 ? put : put < 0 && errno == EAGAIN ? 0 : -1;
    }
    ERR_clear_error();
    const int put = SSL_write(connection.tls, connection.out.data(), static_cast<int>(connection.out.size()));
    return put > 0 ? put : wants_more(connection, put) ? 0 : -1;
  }

  static bool wants_more(const Connection& connection, int result) {
    const int error = SSL_get_error(connection.tls, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  void flush(Connection& connection) {
    if (connection.hole || connection.said_all || !may_speak_) return;
    for (;;) {
      while (connection.out.size() < enough_output) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t size = nghttp2_session_mem_send(connection.session, &bytes);
        if (size <= 0) break;
        connection.out += text(bytes, static_cast<std::size_t>(size));
      }
      if (connection.out.empty()) break;
      const ssize_t put = transmit(connection);
      if (put < 0) return drop(connection);
      if (put == 0) return watch(connection.fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
      connection.out.erase(0, static_cast<std::size_t>(put));
    }
    watch(connection.fd, EPOLLIN, EPOLL_CTL_MOD);
    const bool over =
        nghttp2_session_want_read(connection.session) == 0 && nghttp2_session_want_write(connection.session) == 0;
    if (!over && !connection.failed) return;
    // Closing now would answer bytes under way with RST, which may overtake what we have said.
    connection.said_all = true;
    if (connection.tls != nullptr) SSL_shutdown(connection.tls);
    shutdown(connection.fd, SHUT_WR);
  }

  // --- requests

  void on_stream(Connection& connection, std::int32_t id) {
    Stream& stream = connection.streams[id];
    stream.connection = &connection;
    stream.id = id;
    connection.last_stream = id;
    connection.pings_in_a_row = 0;
    ++connection.requests;
    ++server_.streams_;
    ++server_.requests_;
    std::lock_guard lock(server_.mutex_);
    stream.entry = server_.log_.size();
    H2Request& entry = server_.log_.emplace_back();
    entry.connection = connection.id;
    entry.stream = id;
    H2Connection& record = server_.connections_[static_cast<std::size_t>(connection.id) - 1];
    ++record.streams;
    record.most_streams = std::max(record.most_streams, static_cast<int>(connection.streams.size()));
  }

  // Its fields are complete.
  void on_request(Connection& connection, Stream& stream) {
    const H2Options& options = server_.options_;
    if (options.refuse_every > 0 && connection.requests % options.refuse_every == 0) {
      ++server_.refused_;
      stream.told = true;
      reset(stream, NGHTTP2_REFUSED_STREAM);
      return;
    }
    if (options.goaway_after == 0 || connection.requests < options.goaway_after || connection.warned) return;
    if (options.warn) {
      connection.warned = true;
      ++server_.goaways_sent_;
      nghttp2_submit_shutdown_notice(connection.session);
      nghttp2_submit_ping(connection.session, NGHTTP2_FLAG_NONE, nullptr);
    } else {
      submit_goaway(connection);
    }
  }

  void reset(const Stream& stream, std::uint32_t code) {
    nghttp2_submit_rst_stream(stream.connection->session, NGHTTP2_FLAG_NONE, stream.id, code);
  }

  void on_body(Connection& connection, Stream& stream, const std::uint8_t* bytes, std::size_t size) {
    server_.body_bytes_ += static_cast<std::int64_t>(size);
    const bool first = stream.body_bytes == 0;
    stream.body_bytes += static_cast<std::int64_t>(size);
    {
      std::lock_guard lock(server_.mutex_);
      H2Request& entry = server_.entry(stream.entry);
      entry.body_bytes = stream.body_bytes;
      entry.body += text(bytes, std::min(size, kept_body - entry.body.size()));
    }
    nghttp2_session_consume_connection(connection.session, size);
    if (stream.path == "/deaf" && !gate_open_) {
      stream.unconsumed += size;
      if (!stream.held) hold(stream);
    } else {
      nghttp2_session_consume_stream(connection.session, stream.id, size);
    }
    if (!first || stream.told) return;
    if (const auto code = number_after(stream.path, "/reset_upload/")) {
      process(stream);
      reset(stream, static_cast<std::uint32_t>(*code));
    } else if (number_after(stream.path, "/hint_upload/")) {
      submit_hint(connection, stream);
    } else if (stream.path == "/early") {
      process(stream);
      stream.reset_after = true;
      respond(stream, 413, "too much");
    } else if (const auto status = number_after(stream.path, "/refuse/")) {
      process(stream);
      stream.waits = !gate_open_;
      if (stream.waits) hold(stream);
      respond(stream, static_cast<int>(*status), "refused");
    }
  }

  static void submit_hint(Connection& connection, const Stream& stream) {
    const nghttp2_nv field = pair(":status", "103");
    nghttp2_submit_headers(connection.session, NGHTTP2_FLAG_NONE, stream.id, nullptr, &field, 1, nullptr);
  }

  void hold(Stream& stream) {
    stream.held = true;
    ++server_.held_;
  }

  void let_go(Connection& connection, Stream& stream) {
    stream.held = false;
    --server_.held_;
    if (stream.path == "/deaf") {
      nghttp2_session_consume_stream(connection.session, stream.id, std::exchange(stream.unconsumed, 0));
    } else if (stream.waits) {
      stream.waits = false;
      nghttp2_session_resume_data(connection.session, stream.id);
    } else {
      answer(connection, stream);
    }
  }

  // The request is complete.
  void on_complete(Connection& connection, Stream& stream) {
    if (stream.told) return;
    auto own_delay = number_after(stream.path, "/delay/");
    if (!own_delay) own_delay = number_after(stream.path, "/hint_upload/");
    const std::chrono::milliseconds delay = own_delay ? std::chrono::milliseconds(*own_delay) : server_.options_.delay;
    if (stream.path == "/hold" && !gate_open_) {
      hold(stream);
    } else if (delay.count() > 0) {
      due_.insert({std::chrono::steady_clock::now() + delay, connection.fd, connection.id, stream.id});
    } else {
      answer(connection, stream);
    }
  }

  void process(Stream& stream) {
    stream.told = true;
    ++server_.processed_;
    std::lock_guard lock(server_.mutex_);
    server_.entry(stream.entry).processed = true;
  }

  void answer(Connection& connection, Stream& stream) {
    process(stream);
    const std::string& path = stream.path;
    if (const auto size = number_after(path, "/size/")) {
      stream.size = *size;
      respond(stream, 200, {});
    } else if (const auto status = number_after(path, "/status/")) {
      respond(stream, static_cast<int>(*status), {});
    } else if (const auto code = number_after(path, "/reset/")) {
      reset(stream, static_cast<std::uint32_t>(*code));
    } else if (const auto hints = number_after(path, "/hints/")) {
      for (long i = 0; i < *hints; ++i) submit_hint(connection, stream);
      respond(stream, 200, path);
    } else if (path == "/trailers") {
      {
        std::lock_guard lock(server_.mutex_);
        stream.trailers = server_.entry(stream.entry).trailers;
      }
      stream.trailers.emplace_back("x-sum", std::to_string(stream.body_bytes));
      respond(stream, 200, path);
    } else if (path == "/count") {
      respond(stream, 200, std::to_string(stream.body_bytes));
    } else {
      stream.waits = path == "/head" && !gate_open_;
      if (stream.waits) hold(stream);
      respond(stream, 200, path);
    }
  }

  static nghttp2_nv pair(std::string_view name, std::string_view value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
  }

  void respond(Stream& stream, int status, std::string body) {
    if (!body.empty()) {
      stream.body = std::move(body);
      stream.size = static_cast<std::int64_t>(stream.body.size());
    }
    const std::string code = std::to_string(status);
    const std::string length = std::to_string(stream.size);
    std::vector<nghttp2_nv> fields{pair(":status", code)};
    if (stream.trailers.empty() && status != 204 && status != 304) fields.push_back(pair("content-length", length));
    nghttp2_data_provider provider{};
    provider.source.ptr = &stream;
    provider.read_callback = read_body;
    const bool bodiless = stream.method == "HEAD" || (stream.size == 0 && stream.trailers.empty());
    nghttp2_submit_response(stream.connection->session, stream.id, fields.data(), fields.size(),
                            bodiless ? nullptr : &provider);
  }

  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    static const std::string bytes = pattern(1 << 17);
    auto& stream = *static_cast<Stream*>(source->ptr);
    if (stream.waits) return NGHTTP2_ERR_DEFERRED;
    const std::size_t size = std::min(room, static_cast<std::size_t>(stream.size - stream.sent));
    if (stream.body.empty()) {
      std::copy_n(bytes.data() + stream.sent % 64, std::min(size, bytes.size() - 64), into);
    } else {
      std::copy_n(stream.body.data() + stream.sent, size, into);
    }
    stream.sent += static_cast<std::int64_t>(size);
    {
      H2Server& server = stream.connection->worker->server_;
      std::lock_guard lock(server.mutex_);
      server.entry(stream.entry).sent_bytes = stream.sent;
    }
    if (stream.sent == stream.size) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream.trailers.empty()) {
        std::vector<nghttp2_nv> fields;
        for (const auto& [name, value] : stream.trailers) fields.push_back(pair(name, value));
        if (nghttp2_submit_trailer(session, id, fields.data(), fields.size()) == 0) {
          *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        }
      }
    }
    return static_cast<ssize_t>(size);
  }

  // --- nghttp2

  static Connection& connection_of(void* user) { return *static_cast<Connection*>(user); }
  static Stream* stream_of(Connection& connection, std::int32_t id) {
    const auto found = connection.streams.find(id);
    return found == connection.streams.end() ? nullptr : &found->second;
  }

  // Before nghttp2 looks: it would count only what the client has acknowledged.
  static int on_begin_frame(nghttp2_session* session, const nghttp2_frame_hd* head, void* user) {
    Connection& connection = connection_of(user);
    Worker& self = *connection.worker;
    if (head->type != NGHTTP2_HEADERS || head->stream_id <= connection.last_stream || !self.limit_) return 0;
    if (connection.streams.size() < *self.limit_) return 0;
    ++self.server_.overshoots_;
    if (self.server_.options_.strict) nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    return 0;
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Connection& connection = connection_of(user);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (connection.goaway_last >= 0 && frame->hd.stream_id > connection.goaway_last) return 0;  // the client is told
    connection.worker->on_stream(connection, frame->hd.stream_id);
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    Connection& connection = connection_of(user);
    Stream* const stream = stream_of(connection, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    std::string key = text(name, name_size);
    std::string content = text(value, value_size);
    std::lock_guard lock(connection.worker->server_.mutex_);
    H2Request& entry = connection.worker->server_.entry(stream->entry);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
      entry.trailers.emplace_back(std::move(key), std::move(content));
      return 0;
    }
    if (key == ":method") entry.method = stream->method = content;
    if (key == ":path") entry.path = stream->path = content;
    if (key == "x-id") entry.id = content;
    entry.fields.emplace_back(std::move(key), std::move(content));
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Connection& connection = connection_of(user);
    Worker& self = *connection.worker;
    Stream* const stream = stream_of(connection, frame->hd.stream_id);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (stream == nullptr) break;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) self.on_request(connection, *stream);
        if (ends) self.on_complete(connection, *stream);
        break;
      case NGHTTP2_DATA:
        if (stream != nullptr && ends) self.on_complete(connection, *stream);
        break;
      case NGHTTP2_RST_STREAM: {
        ++self.server_.resets_;
        if (++connection.resets_in_a_row > self.server_.most_resets_in_a_row_) {
          self.server_.most_resets_in_a_row_ = connection.resets_in_a_row;
        }
        std::lock_guard lock(self.server_.mutex_);
        ++self.server_.connections_[static_cast<std::size_t>(connection.id) - 1].resets;
        if (stream != nullptr) self.server_.entry(stream->entry).reset_code = frame->rst_stream.error_code;
        break;
      }
      case NGHTTP2_PING:
        self.on_ping(connection, (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0);
        break;
      case NGHTTP2_GOAWAY:
        self.noted(connection)->goaway_code = frame->goaway.error_code;
        break;
      default:
        break;
    }
    return 0;
  }

  void on_ping(Connection& connection, bool answer) {
    if (answer) {
      if (connection.warned) submit_goaway(connection);
      return;
    }
    ++server_.pings_;
    connection.resets_in_a_row = 0;
    ++noted(connection)->pings;
    const int most = server_.options_.calm_after;
    if (most > 0 && ++connection.pings_in_a_row > most) {
      nghttp2_session_terminate_session(connection.session, NGHTTP2_ENHANCE_YOUR_CALM);
    }
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                     std::size_t size, void* user) {
    Connection& connection = connection_of(user);
    if (Stream* stream = stream_of(connection, id)) {
      connection.worker->on_body(connection, *stream, bytes, size);
    } else {
      nghttp2_session_consume_connection(session, size);
    }
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Connection& connection = connection_of(user);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    Stream* const stream = stream_of(connection, frame->hd.stream_id);
    if (stream == nullptr || !stream->reset_after) return 0;
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    return 0;
  }

  static int on_stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    Connection& connection = connection_of(user);
    Stream* const stream = stream_of(connection, id);
    if (stream == nullptr) return 0;
    Worker& self = *connection.worker;
    if (stream->held) --self.server_.held_;
    connection.streams.erase(id);
    --self.server_.streams_;
    return 0;
  }

  static const nghttp2_session_callbacks* callbacks() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* all = nullptr;
      nghttp2_session_callbacks_new(&all);
      nghttp2_session_callbacks_set_on_begin_frame_callback(all, on_begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(all, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(all, on_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(all, on_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, on_data);
      nghttp2_session_callbacks_set_on_frame_send_callback(all, on_frame_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(all, on_stream_closed);
      return all;
    }();
    return made;
  }

  H2Server& server_;
  int epoll_;
  std::optional<std::uint32_t> limit_ = server_.options_.limit;
  bool may_speak_ = !server_.options_.settings_on_word;
  bool gate_open_ = false;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::multiset<Due> due_;
};

std::string H2Request::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "(none)";
}

H2Server::H2Server(const H2Options& options) : options_(options), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (options.certificate != nullptr) {
    SSL_CTX* const tls = SSL_CTX_new(TLS_server_method());
    tls_ = tls;
    SSL_CTX_use_certificate_file(tls, options.certificate->certificate_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(tls, options.certificate->key_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    const auto pick = [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned,
                         void* user) {
      const std::string& alpn = static_cast<const H2Server*>(user)->options_.alpn;
      if (alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
      *out = reinterpret_cast<const unsigned char*>(alpn.data());
      *size = static_cast<unsigned char>(alpn.size());
      return SSL_TLSEXT_ERR_OK;
    };
    SSL_CTX_set_alpn_select_cb(tls, pick, this);
  }
  listening_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listening_, 4096) != 0) {
    throw std::system_error(errno, std::generic_category(), "h2 server");
  }
  getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);  // OpenSSL writes without MSG_NOSIGNAL
    Worker(*this).run();
  });
}

H2Server::~H2Server() {
  stopping_ = true;
  post([](Worker&) {});
  thread_.join();
  ::close(listening_);
  ::close(wake_);
  SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

void H2Server::post(std::function<void(Worker&)> order) {
  {
    std::lock_guard lock(mutex_);
    orders_.push_back(std::move(order));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(wake_, &one, sizeof one);
}

void H2Server::set_limit(std::uint32_t streams) {
  post([streams](Worker& worker) { worker.set_limit(streams); });
}
void H2Server::send_settings() {
  post([](Worker& worker) { worker.send_settings(); });
}
void H2Server::release() {
  post([](Worker& worker) { worker.release(); });
}
void H2Server::goaway() {
  post([](Worker& worker) { worker.goaway(); });
}
void H2Server::hang_up(bool reset) {
  post([reset](Worker& worker) { worker.hang_up(reset); });
}
void H2Server::black_hole() {
  post([](Worker& worker) { worker.black_hole(); });
}

std::string H2Server::url(std::string_view path) const {
  return (tls_ != nullptr ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) + std::string(path);
}

std::vector<H2Request> H2Server::log() const {
  std::lock_guard lock(mutex_);
  return {log_.begin(), log_.end()};
}

std::vector<H2Connection> H2Server::connections() const {
  std::lock_guard lock(mutex_);
  return connections_;
}

std::int64_t H2Server::most_streams() const {
  std::int64_t most = 0;
  for (const H2Connection& each : connections()) most = std::max<std::int64_t>(most, each.most_streams);
  return most;
}

std::vector<std::string> H2Server::processed_twice() const {
  std::set<std::string> once;
  std::vector<std::string> twice;
  for (const H2Request& request : log()) {
    if (request.processed && !once.insert(request.id).second) twice.push_back(request.id);
  }
  return twice;
}

}  // namespace trunkline::test
