// Request bodies that do not fit, or do not exist yet, in one string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <trunkline/callback.hpp>
#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

namespace trunkline {

// Pulled by the connection when the peer has room, so a slow server slows the source down. Called by one thread at a
// time: the caller's own for blocking calls, a loop thread otherwise; it must not block a loop thread.
class BodySource {
 public:
  virtual ~BodySource() = default;

  // The number of bytes, if known; otherwise the body is sent chunked.
  virtual std::optional<std::uint64_t> length() const { return std::nullopt; }

  struct Pull {
    enum Kind : unsigned char { bytes, later, end, failed } kind = end;
    std::size_t size = 0;  // with `bytes`: how much of the buffer was filled, at least 1
    std::string reason;    // with `failed`
  };
  // Fills some of `into`. `later` means that nothing is there yet: call `resume` once, from any thread, when there is.
  virtual Pull pull(std::span<char> into, Callback<void()> resume) = 0;

  // Back to the start, so that the request can be sent again. False: it cannot.
  virtual bool rewind() { return false; }

  // Sent after a chunked body.
  virtual Headers trailers() { return {}; }
};

}  // namespace trunkline
