#include "http2/flow_control.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace trunkline::http2 {

namespace {

constexpr std::size_t credit_step = 16 * 1024;  // less than that is not told to nghttp2 at once
constexpr std::uint32_t least_window = 65'535;  // of a connection: HTTP/2 has no way to say less

}  // namespace

FlowControl::FlowControl(std::uint32_t first_window, std::uint32_t stream_window)
    : first_window_(std::min(first_window, stream_window)), stream_window_(stream_window) {}

void FlowControl::start(nghttp2_session* session, std::uint32_t connection_window) {
  session_ = session;
  const std::uint32_t whole = std::max(least_window, connection_window);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(whole));
}

void FlowControl::consumed(std::int32_t stream, Window& window, std::size_t bytes, bool ended) {
  bytes = std::min(bytes, window.unconsumed);  // what was credited when the stream ended is not credited again
  if (bytes == 0) return;
  window.unconsumed -= bytes;
  if (!ended) {
    window.owed += bytes;
    if (window.owed >= std::min<std::size_t>(credit_step, window.size / 4)) {
      nghttp2_session_consume_stream(session_, stream, std::exchange(window.owed, 0));
    }
  }
  ignored(bytes);
  if (window.unconsumed == 0 && !ended) grow(stream, window, bytes);
}

void FlowControl::ignored(std::size_t bytes) {
  owed_ += bytes;
  if (!held_ || owed_ >= credit_step) pay();
}

void FlowControl::give_up_rest(Window& window) { ignored(std::exchange(window.unconsumed, 0)); }

void FlowControl::pay() {
  if (owed_ > 0) nghttp2_session_consume_connection(session_, std::exchange(owed_, 0));
}

// A reader who keeps up gets a larger window, up to its limit; one who does not costs no more memory than before.
void FlowControl::grow(std::int32_t stream, Window& window, std::size_t bytes) {
  if (window.size >= stream_window_) return;
  window.since_growth += bytes;
  if (window.since_growth < window.size / 2) return;
  window.since_growth = 0;
  window.size = std::min(stream_window_, 2 * window.size);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream, static_cast<std::int32_t>(window.size));
}

}  // namespace trunkline::http2
