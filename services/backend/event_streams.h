// Everybody who listens to /events: a tick each second, the same for all. Who does not read misses ticks; nobody waits
// for him.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <thread>

#include "metrics/instruments.h"
#include "server/exchange.h"

namespace trunkline::backend {

class EventStreams {
 public:
  explicit EventStreams(metrics::Gauge& open);
  ~EventStreams() { close(); }
  EventStreams(const EventStreams&) = delete;
  EventStreams& operator=(const EventStreams&) = delete;

  void add(server::Exchange exchange);
  // Ends all streams in order. Who comes later is answered with 503.
  void close();

 private:
  struct Listener {
    server::BodyWriter writer;
    metrics::GaugeHold hold;
  };

  void run();
  void tick();

  metrics::Gauge& open_;
  std::mutex mutex_;  // what follows
  std::condition_variable closing_;
  std::list<Listener> listeners_;
  std::uint64_t ticks_ = 0;
  bool closed_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace trunkline::backend
