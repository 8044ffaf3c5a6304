// The least HTTP/2 server: nghttp2 on epoll in one thread, in clear with prior knowledge; for each request the same 300
// bytes. No limits but nghttp2's own, no time limits, no routing, no logging.   server_floor_http2 PORT
#include <nghttp2/nghttp2.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "server_listen.h"

namespace {

constexpr std::size_t body_bytes = 300;

struct Connection {
  int fd;
  nghttp2_session* session = nullptr;
};

nghttp2_nv field(const char* name, const char* value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value)), std::strlen(name), std::strlen(value),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* buffer, std::size_t size, std::uint32_t* flags,
                  nghttp2_data_source*, void*) {
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  const std::size_t length = std::min(size, body_bytes);
  std::memset(buffer, 'x', length);
  return static_cast<ssize_t>(length);
}

int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void*) {
  if (frame->hd.type != NGHTTP2_HEADERS || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  static const std::array<nghttp2_nv, 4> fields{field(":status", "200"), field("content-type", "text/plain"),
                                                field("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
                                                field("content-length", "300")};
  nghttp2_data_provider body{};
  body.read_callback = read_body;
  return nghttp2_submit_response(session, frame->hd.stream_id, fields.data(), fields.size(), &body);
}

Connection* begin(int fd, const nghttp2_session_callbacks* callbacks) {
  auto* connection = new Connection{fd};
  nghttp2_session_server_new(&connection->session, callbacks, connection);
  const nghttp2_settings_entry streams{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 250};
  nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, &streams, 1);
  return connection;
}

// One read, what it asks for, and one write. False: the client has gone.
bool serve(const Connection& connection, std::string& out) {
  static std::array<std::uint8_t, 65536> buffer;
  const ssize_t size = recv(connection.fd, buffer.data(), buffer.size(), 0);
  if (size <= 0) return false;
  if (nghttp2_session_mem_recv(connection.session, buffer.data(), static_cast<std::size_t>(size)) < 0) return false;
  out.clear();
  const std::uint8_t* piece = nullptr;
  ssize_t length = 0;
  while ((length = nghttp2_session_mem_send(connection.session, &piece)) > 0) {
    out.append(reinterpret_cast<const char*>(piece), static_cast<std::size_t>(length));
  }
  return length == 0 &&
         (out.empty() || send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  const int listener = bench::listen_at(argv[1]);
  const int epoll = epoll_create1(0);
  bench::watch(epoll, listener, nullptr);
  std::array<epoll_event, 256> events{};
  std::string out;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection == nullptr) {
        for (int fd = 0; (fd = bench::accept_one(listener)) >= 0;) bench::watch(epoll, fd, begin(fd, callbacks));
      } else if (!serve(*connection, out)) {
        nghttp2_session_del(connection->session);
        close(connection->fd);
        delete connection;
      }
    }
  }
}
