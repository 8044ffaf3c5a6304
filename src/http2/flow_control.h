// How much the peer may send ahead of those who read: a window for each stream, which grows while its reader keeps up,
// and one for the connection. Whatever comes is credited again once, when it is consumed or when nobody will.
#pragma once

#include <cstddef>
#include <cstdint>

struct nghttp2_session;

namespace trunkline::http2 {

// Of one stream.
struct Window {
  std::uint32_t size = 0;        // what the peer may send ahead
  std::size_t unconsumed = 0;    // of what it has sent
  std::size_t owed = 0;          // consumed, and not told to nghttp2 yet
  std::size_t since_growth = 0;  // consumed since the window grew
};

class FlowControl {
 public:
  FlowControl(std::uint32_t first_window, std::uint32_t stream_window);

  // The connection's window is whole from the start: streams that nobody reads would otherwise stop the others, who
  // alone could make it grow.
  void start(nghttp2_session* session, std::uint32_t connection_window);
  std::uint32_t first_window() const { return first_window_; }  // of each stream; it is for SETTINGS to say
  Window new_window() const { return {.size = first_window_}; }

  // Of what came on a stream, which may have ended: for nobody's sake its window then grows.
  void consumed(std::int32_t stream, Window& window, std::size_t bytes, bool ended);
  // Nobody will consume them.
  void ignored(std::size_t bytes);
  void give_up(Window& window) {
    if (window.unconsumed > 0) give_up_rest(window);
  }
  // While one piece of input is worked on, the credit is saved up: to tell nghttp2 of it costs 150 instructions.
  void hold() { held_ = true; }
  void release() {
    held_ = false;
    if (owed_ > 0) pay();
  }

 private:
  void give_up_rest(Window& window);
  void grow(std::int32_t stream, Window& window, std::size_t bytes);
  void pay();

  nghttp2_session* session_ = nullptr;
  const std::uint32_t first_window_;
  const std::uint32_t stream_window_;
  bool held_ = false;
  std::size_t owed_ = 0;  // of the connection's credit
};

}  // namespace trunkline::http2
