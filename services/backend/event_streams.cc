#include "services/backend/event_streams.h"

#include <chrono>
#include <string>
#include <utility>

namespace trunkline::backend {

EventStreams::EventStreams(metrics::Gauge& open) : open_(open), thread_([this] { run(); }) {}

void EventStreams::add(server::Exchange exchange) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    exchange.respond(server::plain_response(503, "this backend is draining"));
    return;
  }
  server::BodyWriter writer =
      exchange.start(200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}});
  writer.write("retry: 1000\n\n");
  listeners_.push_back({std::move(writer), metrics::GaugeHold(open_)});
}

void EventStreams::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (Listener& listener : listeners_) listener.writer.finish();
    listeners_.clear();
    closing_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void EventStreams::run() {
  std::unique_lock lock(mutex_);
  auto next = std::chrono::steady_clock::now();
  while (!closed_) {
    next += std::chrono::seconds(1);
    if (closing_.wait_until(lock, next, [this] { return closed_; })) return;
    tick();
  }
}

void EventStreams::tick() {
  const std::string number = std::to_string(++ticks_);
  const std::string event = "event: tick\nid: " + number + "\ndata: {\"tick\":" + number + "}\n\n";
  for (auto listener = listeners_.begin(); listener != listeners_.end();) {
    const bool gone = listener->writer.write(event) == server::BodyWriter::Sent::gone;
    listener = gone ? listeners_.erase(listener) : std::next(listener);
  }
}

}  // namespace trunkline::backend
