// A byte stream on a socket, or on another stream: TCP, TLS over it, later TLS over a proxy's TLS. Never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "net/loop.h"

namespace trunkline::net {

enum class Io : unsigned char {
  ok,      // bytes moved
  again,   // nothing to be had now: wait for an event
  closed,  // orderly end: FIN, for TLS close_notify
  cut,     // TLS only: FIN without close_notify
  failed,  // see error
};

struct ReadResult {
  Io io = Io::again;
  std::string_view bytes;  // valid until the next read with the same scratch
  bool drained = false;    // with `ok`: the socket had no more; wait for an event before reading again
  std::error_code error;   // with `failed`
};

struct WriteResult {
  Io io = Io::again;
  std::size_t accepted = 0;  // of the bytes offered; `ok` if any
  std::error_code error;
};

class Stream {
 public:
  virtual ~Stream() = default;

  // One receive, decrypted. At most Scratch::size bytes.
  virtual ReadResult read(Scratch& scratch) = 0;
  // As read, for a thread that has nothing else to do: waits for bytes, but no longer than waiting_limit. Cheaper than
  // poll() and read().
  virtual ReadResult read_waiting(Scratch& scratch) = 0;
  static constexpr std::chrono::seconds waiting_limit{1};
  // Takes bytes from the front of `parts`, in order. TLS keeps what it has encrypted but could not send.
  virtual WriteResult write(std::span<const std::string_view> parts) = 0;
  // Sends what write() has kept. `ok` when nothing is kept any more.
  virtual WriteResult flush() = 0;
  virtual bool has_pending_output() const = 0;
  // True when bytes are buffered above the socket, so that no event will announce them.
  virtual bool has_buffered_input() const = 0;
  // Bytes that have left for the kernel since the stream was made.
  virtual std::uint64_t bytes_sent() const = 0;
  // Says goodbye where the protocol has a word for it (close_notify), without waiting.
  virtual void farewell() = 0;
  virtual int fd() const = 0;
};

// Owns the socket; closes it when destroyed.
std::unique_ptr<Stream> make_tcp_stream(int fd);

}  // namespace trunkline::net
