// The WebSockets of a backend: each echoes what comes, is counted exactly while it is open, and may be sent away.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/websocket.h"
#include "services/backend/instruments.h"
#include "services/backend/later.h"
#include "services/backend/settings.h"

namespace trunkline::backend {

// Which part of the closes is forgotten, spread evenly: with 0.25 it is each fourth one.
class Forgetfulness {
 public:
  explicit Forgetfulness(double part) : part_(part) {}
  bool forgets_next() {
    owed_ += part_;
    if (owed_ < 1) return false;
    owed_ -= 1;
    return true;
  }

 private:
  double part_;
  double owed_ = 0;
};

class Sessions {
 public:
  Sessions(const Settings& settings, Instruments& instruments, Later& later)
      : settings_(settings), instruments_(instruments), later_(later), forgetfulness_(settings.leak) {}
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  static server::WebSocketSettings websocket_settings();
  // What to hand to Exchange::accept_websocket. Sessions must outlive the server.
  server::WebSocketEvents make();

  // Says close to so many, the oldest first, and returns how many there were to be told.
  std::size_t shed(std::size_t count, std::uint16_t code);

 private:
  class Session;

  std::uint64_t opened(const server::WebSocket& websocket);
  // The hold, if there is one, is given back, or forgotten.
  void closed(std::uint64_t id, std::uint16_t code, std::optional<metrics::GaugeHold> hold);

  const Settings& settings_;
  Instruments& instruments_;
  Later& later_;
  std::mutex mutex_;  // what follows
  Forgetfulness forgetfulness_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, server::WebSocket> open_;  // and not told to go
};

}  // namespace trunkline::backend
