// What a server has open, and how all else ended. Counted by tokens that give back what they took, so that no path
// through the code can forget it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace trunkline::server {

enum class ConnectionEnd : unsigned char {
  peer_closed,  // in order, or by a reset, between requests or in one
  idle,         // Timeouts::idle
  timed_out,    // a limit in Timeouts other than `idle`
  tls_failed,
  protocol_error,  // the peer's bytes were refused
  last_request,    // one side said "Connection: close", or Limits::requests_per_connection were served
  cut_off,         // a handler broke off its response
  over_limit,      // Limits::connections
  drained,         // by drain(), in order
  stopped,         // by the end of drain()'s time, or of the server
};
inline constexpr std::size_t connection_end_count = 10;
std::string_view to_string(ConnectionEnd end);

// A moment of a server. At every moment: accepted = connections + the sum of ended, requests begun = open + completed
// + cancelled, WebSockets opened = open + closed.
struct Gauges {
  std::uint64_t accepted = 0;
  std::uint64_t connections = 0;
  std::array<std::uint64_t, connection_end_count> ended{};
  std::uint64_t requests_begun = 0;
  std::uint64_t requests = 0;
  std::uint64_t requests_completed = 0;  // the response was written whole, whatever its status
  std::uint64_t requests_cancelled = 0;
  std::uint64_t websockets_opened = 0;
  std::uint64_t websockets = 0;
  std::uint64_t websockets_closed = 0;
  std::uint64_t accept_pauses = 0;  // for want of descriptors

  std::uint64_t ended_for(ConnectionEnd end) const { return ended[static_cast<std::size_t>(end)]; }
  bool adds_up() const;
  bool quiet() const { return connections == 0 && requests == 0 && websockets == 0; }
  Gauges& operator+=(const Gauges& other);
  std::string describe() const;  // on one line
};

// One loop's part. Only that loop's thread counts, and others may read at any time, so a count is a plain store and no
// lock. What is open is not counted but follows: what began, without what has ended. The ends are read first, so that
// whoever reads meanwhile never finds more of them than beginnings.
class Ledger {
 public:
  // Goes up only.
  class Tally {
   public:
    void add() { value_.store(value_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
    std::uint64_t read() const { return value_.load(std::memory_order_acquire); }

   private:
    std::atomic<std::uint64_t> value_{0};
  };

  Gauges gauges() const;

  std::array<Tally, connection_end_count> ended;
  Tally accepted;
  Tally requests_completed;
  Tally requests_cancelled;
  Tally requests_begun;
  Tally websockets_closed;
  Tally websockets_opened;
};

class ConnectionToken {
 public:
  explicit ConnectionToken(Ledger& ledger) : ledger_(ledger) { ledger_.accepted.add(); }
  ConnectionToken(const ConnectionToken&) = delete;
  ConnectionToken& operator=(const ConnectionToken&) = delete;
  ~ConnectionToken() { ledger_.ended[static_cast<std::size_t>(end_)].add(); }
  void because(ConnectionEnd end) { end_ = end; }

 private:
  Ledger& ledger_;
  ConnectionEnd end_ = ConnectionEnd::stopped;
};

class RequestToken {
 public:
  explicit RequestToken(Ledger& ledger) : ledger_(&ledger) { ledger_->requests_begun.add(); }
  RequestToken(const RequestToken&) = delete;
  RequestToken& operator=(const RequestToken&) = delete;
  ~RequestToken() { end(false); }
  void complete() { end(true); }

 private:
  void end(bool completed) {
    if (Ledger* ledger = std::exchange(ledger_, nullptr)) {
      (completed ? ledger->requests_completed : ledger->requests_cancelled).add();
    }
  }
  Ledger* ledger_;
};

class WebSocketToken {
 public:
  explicit WebSocketToken(Ledger& ledger) : ledger_(ledger) { ledger_.websockets_opened.add(); }
  WebSocketToken(const WebSocketToken&) = delete;
  WebSocketToken& operator=(const WebSocketToken&) = delete;
  ~WebSocketToken() { ledger_.websockets_closed.add(); }

 private:
  Ledger& ledger_;
};

}  // namespace trunkline::server
