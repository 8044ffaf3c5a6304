// What a server is told when it starts. Zero in a time: that limit does not exist. Whatever a limit refuses is answered
// with a status that says so, where an answer can still be given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <trunkline/options.hpp>

namespace trunkline::server {

struct LogEntry;

struct Limits {
  std::size_t connections = 10'000;  // open at once; beyond: 503 with Retry-After in clear, closed over TLS
  std::size_t requests_per_connection = 100'000;  // then the connection is closed in order; 0: no limit
  std::size_t streams_per_connection = 100;       // HTTP/2 requests at once; beyond: REFUSED_STREAM
  std::size_t request_line_bytes = 16 * 1024;     // beyond: 414
  std::size_t header_bytes = 64 * 1024;           // of one request's fields, trailers too; beyond: 431
  std::size_t header_count = 200;                 // beyond: 431
  std::uint64_t body_bytes = 64 * 1024 * 1024;    // of one request's body; beyond: 413
  // Of a request's body, received and not read by the handler yet. Beyond it the peer has to wait. Over HTTP/2 at most
  // 1 MiB, and it grows up to 16 times for a request whose handler keeps up with its client.
  std::size_t body_ahead_bytes = 64 * 1024;
  // Of a response's body, written by the handler and not taken by the socket yet. Beyond it the handler has to wait.
  std::size_t response_ahead_bytes = 256 * 1024;
  // Of a body that its handler has no use for: so much is read and dropped to keep the connection.
  std::uint64_t discarded_bytes = 256 * 1024;
};

struct Timeouts {
  Duration tls_handshake = std::chrono::seconds(10);
  Duration header = std::chrono::seconds(10);  // from a request's first byte to its last field; beyond: 408
  Duration idle = std::chrono::seconds(75);    // between requests; then closed
  // A body, either way, has to move at least `progress_bytes` in each such time, unless it is the handler that waits.
  // Beyond: 408 for a request whose response has not begun, otherwise the connection is cut.
  Duration progress = std::chrono::seconds(20);
  std::size_t progress_bytes = 4 * 1024;
  // After an error, so that the peer can read the answer before the reset that unread bytes would cause.
  Duration linger = std::chrono::seconds(2);
};

struct TlsFiles {
  std::string certificate_file;  // PEM, the chain from the server's own certificate upwards
  std::string key_file;          // PEM, without a password; empty: in certificate_file
};

struct TlsSettings {
  // One for each name that is served. The first answers who names none, or one that no certificate holds.
  std::vector<TlsFiles> certificates;
  TlsVersion minimum_version = TlsVersion::tls_1_2;
  // Who is trusted to issue clients' certificates. Empty: none is asked for.
  std::string client_ca_file;
  bool client_certificate_required = true;  // otherwise it is asked for, and the handler sees whether there is one
  bool http2 = true;                        // offered by ALPN
  // How often the files are looked at. When one has changed all are read again, for new connections only; what cannot
  // be used is reported to Settings::on_trouble, and the old certificates stay.
  Duration watch_every = std::chrono::seconds(10);
};

struct ListenSettings {
  std::string address;  // "127.0.0.1:8080", "[::1]:0", "unix:/path"; see net::parse_listen_address
  bool secure = false;  // with Settings::tls
};

struct Settings {
  // Nobody but this machine can connect unless another address is named.
  std::vector<ListenSettings> listen{{.address = "127.0.0.1:8080"}};
  TlsSettings tls;
  Limits limits;
  Timeouts timeouts;
  // Threads, each with an epoll loop and, at TCP addresses, a listening socket of its own. 0: one for each core, at
  // most four.
  int loops = 0;
  int backlog = 1024;
  std::string name;  // the Server field of responses; empty: none
  // Called for each finished request on its loop's thread: quick, and without blocking. AccessLog makes one.
  std::function<void(const LogEntry&)> on_request;
  // A sentence for the operator: certificates that cannot be reloaded. On any thread.
  std::function<void(const std::string&)> on_trouble;
};

}  // namespace trunkline::server
