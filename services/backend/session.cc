#include "services/backend/session.h"

#include <utility>

namespace trunkline::backend {
namespace {

constexpr std::uint16_t going_away = 1001;
constexpr std::uint16_t try_again_later = 1013;
constexpr std::size_t longest_message = std::size_t{64} * 1024;

bool takes_time(const Settings& settings) {
  return settings.latency > Duration::zero() || settings.cpu > Duration::zero();
}

}  // namespace

// One WebSocket. Nothing is read while an echo is on its way, so there is at most one of them.
class Sessions::Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(Sessions& sessions) : sessions_(sessions) {}

  void opened(server::WebSocket& websocket) {
    hold_.emplace(sessions_.instruments_.active_ws_connections);
    id_ = sessions_.opened(websocket);
  }

  void message(server::WebSocket& websocket, std::string_view text, bool is_text) {
    sessions_.instruments_.websocket_messages.add();
    websocket.pause();
    if (!takes_time(sessions_.settings_)) return echo(websocket, std::string(text), is_text);
    const bool waits =
        sessions_.later_.at(Clock::now() + sessions_.settings_.latency,
                            [self = shared_from_this(), websocket, text = std::string(text), is_text]() mutable {
                              burn(self->sessions_.settings_.cpu);
                              self->echo(websocket, std::move(text), is_text);
                            });
    if (!waits) websocket.close(try_again_later, "too much work waits here");
  }

  void room() {
    std::optional<Echo> waiting;
    {
      const std::lock_guard lock(mutex_);
      waiting = std::exchange(waiting_, std::nullopt);
    }
    if (waiting) echo(waiting->websocket, std::move(waiting->text), waiting->is_text);
  }

  void closed(std::uint16_t code) { sessions_.closed(id_, code, std::exchange(hold_, std::nullopt)); }

 private:
  struct Echo {
    server::WebSocket websocket;
    std::string text;
    bool is_text = true;
  };

  void echo(server::WebSocket& websocket, std::string text, bool is_text) {
    {
      const std::lock_guard lock(mutex_);
      const auto sent = is_text ? websocket.send_text(text) : websocket.send_binary(text);
      if (sent == server::WebSocket::Sent::full) {
        waiting_ = Echo{websocket, std::move(text), is_text};
        return;
      }
    }
    websocket.resume();
  }

  Sessions& sessions_;
  std::uint64_t id_ = 0;                    // these two: the loop's thread
  std::optional<metrics::GaugeHold> hold_;  // from the 101 to the end
  std::mutex mutex_;                        // waiting_
  std::optional<Echo> waiting_;             // until there is room
};

server::WebSocketSettings Sessions::websocket_settings() {
  return {.message_bytes = longest_message,
          .frame_bytes = longest_message,
          .ping_after = std::chrono::seconds(10),
          .ping_timeout = std::chrono::seconds(5)};
}

server::WebSocketEvents Sessions::make() {
  auto session = std::make_shared<Session>(*this);
  server::WebSocketEvents events;
  events.on_open = [session](server::WebSocket& websocket) { session->opened(websocket); };
  events.on_message = [session](server::WebSocket& websocket, std::string_view text, bool is_text) {
    session->message(websocket, text, is_text);
  };
  events.on_room = [session] { session->room(); };
  events.on_closed = [session](std::uint16_t code, std::string_view) { session->closed(code); };
  return events;
}

std::size_t Sessions::shed(std::size_t count, std::uint16_t code) {
  std::vector<server::WebSocket> leaving;
  {
    const std::lock_guard lock(mutex_);
    while (!open_.empty() && leaving.size() < count) leaving.push_back(open_.extract(open_.begin()).mapped());
  }
  const std::string_view reason = code == going_away ? "this backend is going away" : "please connect again";
  for (server::WebSocket& websocket : leaving) websocket.close(code, reason);
  return leaving.size();
}

std::uint64_t Sessions::opened(const server::WebSocket& websocket) {
  instruments_.websockets_opened.add();
  const std::lock_guard lock(mutex_);
  open_.emplace(next_id_, websocket);
  return next_id_++;
}

void Sessions::closed(std::uint64_t id, std::uint16_t code, std::optional<metrics::GaugeHold> hold) {
  if (!hold) return;  // it never opened
  instruments_.websockets_closed.with({std::to_string(code)}).add();
  const std::lock_guard lock(mutex_);
  open_.erase(id);
  // The bug that many gateways have: a path on which nobody counts down.
  if (forgetfulness_.forgets_next()) instruments_.active_ws_connections.add(1);
}

}  // namespace trunkline::backend
