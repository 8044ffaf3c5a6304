// What we owe the peer for streams that we reset. Opened and reset at once by the hundred, they look like an attack
// (CVE-2023-44487), and a server counts each until it has heard of its end. So their slots stay taken until something
// proves that it has: the answer to a PING that was sent behind the RST_STREAM, or a response to a request that was.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "base/clock.h"

namespace trunkline::http2 {

class ResetLedger {
 public:
  // Between two PINGs, unless the peer has sent something of a response in between; and after so many without even a
  // request in between, which servers count as abuse.
  static constexpr auto ping_interval = std::chrono::seconds(1);
  static constexpr int most_idle_pings = 2;
  static constexpr auto idle_ping_interval = std::chrono::seconds(10);

  int kept() const { return unwritten_ + written_ + proving_; }  // slots

  void on_reset() { ++unwritten_; }
  // Its RST_STREAM went out; requests from `next_id` on will follow behind it.
  void on_written(std::int32_t next_id) {
    --unwritten_;
    ++written_;
    proof_id_ = next_id;
  }
  // The stream was never opened, or the peer has ended it before: there is nothing to be proved.
  void on_needless() { --unwritten_; }

  // All of these return how many slots are free now.
  int on_response(std::int32_t id) {
    on_data();
    if (written_ + proving_ == 0 || id < proof_id_) return 0;
    return std::exchange(written_, 0) + std::exchange(proving_, 0);
  }
  int on_ping_answered() {
    ping_out_ = false;
    return std::exchange(proving_, 0);
  }
  int on_lost() { return std::exchange(unwritten_, 0) + std::exchange(written_, 0) + std::exchange(proving_, 0); }

  void on_data() {
    idle_pings_ = 0;
    heard_ = true;
  }
  void on_request_sent() { idle_pings_ = 0; }

  bool ping_out() const { return ping_out_; }
  // A PING was queued, for resets or to ask whether the peer lives. It is a proof for what was written before it.
  void on_ping(TimePoint now) {
    ping_out_ = true;
    last_ping_ = now;
    ++idle_pings_;
    heard_ = false;
    proving_ += std::exchange(written_, 0);
  }
  // When a PING for resets may go out; `never` when none is wanted.
  TimePoint ping_due() const {
    if (written_ == 0 || ping_out_) return never;
    if (heard_) return last_ping_;
    return last_ping_ + (idle_pings_ < most_idle_pings ? ping_interval : idle_ping_interval);
  }

 private:
  int unwritten_ = 0;  // the RST_STREAM is still to be written
  int written_ = 0;    // it is written, but no PING behind it
  int proving_ = 0;    // behind it there is one, without an answer as yet
  std::int32_t proof_id_ = 0;
  int idle_pings_ = 0;
  bool heard_ = true;  // something of a response, since the last PING
  bool ping_out_ = false;
  TimePoint last_ping_{};
};

}  // namespace trunkline::http2
