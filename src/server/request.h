// A request as handlers get it. The head is complete and checked; the body may still be on its way.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/callback.hpp>
#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

#include "server/route_table.h"

namespace trunkline::server {

class ExchangeState;

enum class Protocol : unsigned char { http1_0, http1_1, http2 };
std::string_view to_string(Protocol protocol);  // "HTTP/1.1", ...

struct TlsFacts {
  std::string server_name;  // SNI, or empty
  // Of the client's certificate, when one was asked for and shown. It was verified.
  std::string client_subject;      // RFC 2253: "CN=worker-1,O=Example"
  std::string client_fingerprint;  // SHA-256 in hex
};

// A request's body, read piece by piece: what is not read makes the peer wait. Reading may go on while the response is
// being written. Dropping it says that nobody wants the rest.
class RequestBody {
 public:
  RequestBody() = default;  // empty
  explicit RequestBody(std::shared_ptr<ExchangeState> state, std::optional<std::uint64_t> length);
  RequestBody(RequestBody&&) noexcept;
  RequestBody& operator=(RequestBody&&) noexcept;
  ~RequestBody();

  bool empty() const { return !state_; }  // there is none
  std::optional<std::uint64_t> length() const { return length_; }

  // The next piece, never empty but for the end. Errors: cancelled (the peer left), limit_exceeded (body_bytes),
  // timeout_idle_read. One read at a time. From any thread; `done` is called on the loop's, perhaps from inside.
  void read(Callback<void(Result<std::string>)> done);
  // All of it. Beyond `limit_bytes` limit_exceeded: answer 413.
  void read_all(std::size_t limit_bytes, Callback<void(Result<std::string>)> done);

 private:
  std::shared_ptr<ExchangeState> state_;
  std::optional<std::uint64_t> length_;
};

struct Request {
  std::string method;
  std::string path;       // as it came, percent-encoded; starts with "/", or is "*" with OPTIONS
  std::string query;      // behind the "?", or empty
  std::string authority;  // host and port as the client named them; may be empty with HTTP/1.0
  Headers headers;
  RequestBody body;
  PathParameters parameters;  // of the Router's pattern

  Protocol protocol = Protocol::http1_1;
  bool secure = false;
  bool wants_websocket = false;         // Exchange::accept_websocket may be called
  std::string peer;                     // "192.0.2.1:50000", or "unix"
  std::shared_ptr<const TlsFacts> tls;  // null in clear
  std::string id;                       // the client's X-Request-Id when it is sane, otherwise made here
  std::string traceparent;              // the client's, when it is valid (W3C Trace Context), or empty
};

}  // namespace trunkline::server
