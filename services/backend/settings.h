// What a backend is told when it starts: where it listens, how slow it is, and how it misbehaves on purpose.
#pragma once

#include <cstdint>
#include <string>

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

namespace trunkline::backend {

// What a scrape meets during a silence.
enum class SilenceKind : unsigned char {
  hang,  // no answer before the silence ends
  fail,  // 503 at once
};

struct Settings {
  std::string listen = "127.0.0.1:8080";  // port 0: one that is free
  Duration latency{0};                    // before each answer of /, /echo and /ws; at most an hour
  // CPU time burnt for each of these answers, on one thread: a backend can do 1s / cpu of them a second. At most a
  // minute.
  Duration cpu{0};
  // This part of the WebSockets that close, from 0 to 1, is never taken off active_ws_connections.
  double leak = 0;
  // With silent_for above 0: /metrics is silent for so long, beginning so long after the start.
  Duration silent_after{0};
  Duration silent_for{0};
  SilenceKind silence = SilenceKind::hang;
};

inline constexpr Duration longest_latency = std::chrono::hours(1);
inline constexpr Duration longest_cpu = std::chrono::minutes(1);
inline constexpr Duration longest_silence = std::chrono::hours(24);
// Answers that wait for their latency or their CPU; beyond: 503, or 1013 on a WebSocket.
inline constexpr std::size_t most_waiting = 10'000;

Result<void> check(const Settings& settings);

}  // namespace trunkline::backend
