// What came back. `Response` holds the whole body; `ResponseStream` hands it out piece by piece.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/call_handle.hpp>
#include <trunkline/callback.hpp>
#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>
#include <trunkline/trace.hpp>

namespace trunkline {

// What a body was, before it was decoded (Options::decompress).
enum class ContentCoding : unsigned char { none, gzip, deflate, br, zstd, several };
std::string_view to_string(ContentCoding coding);

struct ResponseHead {
  int status = 0;
  std::string reason;
  Headers headers;
  ConnectionInfo connection;
  RequestTimes times;
  int retries = 0;
  // With one, the body is what it was before the server coded it, and the headers have no Content-Encoding and no
  // Content-Length any more.
  ContentCoding decoded_from = ContentCoding::none;
};

struct Response : ResponseHead {
  std::string body;
  Headers trailers;

  Response() {}  // NOLINT: with "= default" each would be zeroed before its members are initialised
};

class Call;

// Goes with an open response, and dies with it or with the connection that it handed over: for what wraps a
// RoundTripper and must know when a request is really over.
class StreamWatch {
 public:
  virtual ~StreamWatch() = default;
  // Reading the body failed. On whichever thread read it.
  virtual void on_error(const Error& error) = 0;
};
using StreamWatches = std::vector<std::shared_ptr<StreamWatch>>;

// A connection that no longer speaks HTTP (after 101 or CONNECT). Closed when dropped. One reader and one writer at a
// time, blocking, from any thread.
class UpgradedConnection {
 public:
  class Impl;
  UpgradedConnection(UpgradedConnection&&) noexcept;
  UpgradedConnection& operator=(UpgradedConnection&&) noexcept;
  ~UpgradedConnection();

  // At least one byte, or 0 when the peer has closed.
  Result<std::size_t> read(std::span<char> into, Duration limit);
  Result<void> write(std::string_view bytes, Duration limit);

  // For the library itself.
  UpgradedConnection(std::unique_ptr<Impl> impl, StreamWatches watches);
  std::unique_ptr<Impl> release(StreamWatches& watches) &&;

 private:
  std::unique_ptr<Impl> impl_;
  StreamWatches watches_;
};

// An open response. Dropping it gives the connection back when little is left to read, or closes it; it never leaks.
// Bytes that are not asked for stay in the kernel, so a slow reader slows the server down, not our memory up.
class ResponseStream {
 public:
  ResponseStream(ResponseHead head, std::shared_ptr<Call> call);
  ResponseStream(ResponseStream&&) noexcept;
  ResponseStream& operator=(ResponseStream&&) noexcept;
  ~ResponseStream();

  int status() const { return head_.status; }
  const Headers& headers() const { return head_.headers; }
  const ResponseHead& head() const { return head_; }

  // At least one byte, or 0 at the end of the body. Blocks; not for loop threads.
  Result<std::size_t> read(std::span<char> into);
  // The same, when bytes are there: `done` is called once, on a loop thread. `into` must stay until then. The handle is
  // the response's: cancelled, at whatever time, the response ends and its connection is closed.
  CallHandle start_read(std::span<char> into, Callback<void(Result<std::size_t>)> done);
  // The rest as a string, or `limit_exceeded`.
  Result<std::string> read_all(std::size_t limit);
  // After the end of a chunked body.
  const Headers& trailers() const;

  bool upgraded() const;
  // After a 101: the connection, with what the peer has already sent. The stream is empty afterwards.
  Result<UpgradedConnection> take_connection();

  // Drops it, and returns when its connection has been given back, is being closed, or waits a moment for the last of a
  // short body: the next request usually finds it. Nothing but the head may be asked for afterwards. On a loop's thread
  // it is dropped, and not waited for.
  void close();
  void watch(std::shared_ptr<StreamWatch> watch);

 private:
  ResponseHead head_;
  std::shared_ptr<Call> call_;
  StreamWatches watches_;
};

}  // namespace trunkline
