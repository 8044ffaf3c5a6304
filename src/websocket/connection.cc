#include "websocket/connection.h"

#include <algorithm>

#include "base/per_thread.h"

namespace trunkline::websocket {
namespace {

// So fast at least a peer has to take what stands before a close frame: it could make us wait for ever otherwise.
constexpr std::size_t least_bytes_a_second = 4096;

TimePoint after(TimePoint start, Clock::duration limit) {
  return start != never && limit > Clock::duration::zero() ? start + limit : never;
}

// Connections made one after the other nearly always have equal settings, and then share them.
std::shared_ptr<const Settings> shared(const Settings& settings) {
  struct Latest;
  auto& latest = per_thread<std::shared_ptr<const Settings>, Latest>();
  if (!latest || *latest != settings) latest = std::make_shared<const Settings>(settings);
  return latest;
}

}  // namespace

Connection::Connection(Role role, const Settings& settings, const std::optional<DeflateParameters>& deflate,
                       TimePoint now)
    : settings_(shared(settings)),
      decoder_(role, settings.limits, deflate),
      deflater_(deflate ? std::make_unique<Deflater>(*deflate) : nullptr),
      last_received_(now),
      role_(role) {}

void Connection::agree(const DeflateParameters& deflate) {
  decoder_.agree(deflate);
  deflater_ = std::make_unique<Deflater>(deflate);
}

// --- receiving

Connection::Event Connection::next(std::string_view& input, TimePoint now) {
  using Heard = MessageDecoder::Event;
  if (!input.empty()) {
    last_received_ = now;
    pinged_ = never;  // whoever speaks lives, PONG or not: one may stand behind a long message
  }
  for (;;) {
    switch (decoder_.next(input)) {
      case Heard::need_more:
        return Event::need_more;
      case Heard::message:
        return Event::message;
      case Heard::ping:
        answer_ping(decoder_.control_payload(), now);
        break;
      case Heard::pong:
        break;
      case Heard::close:
        close_received_ = true;
        // The answer says the same code; no reason, which the peer knows (RFC 6455 section 5.5.1).
        close(decoder_.close_code(), {}, now);
        return Event::closed;
      case Heard::error:
        close(decoder_.failure().close_code, {}, now);
        return Event::failed;
    }
  }
}

// One PONG at a time is queued; while it waits, a newer PING replaces the next answer. So a peer that sends PINGs and
// reads nothing costs two payloads of 125 bytes, and no more.
void Connection::answer_ping(const std::string& payload, TimePoint now) {
  if (close_sent_) return;
  next_pong_ = std::make_unique<std::string>(payload);
  if (pong_left_ == 0) queue_pong(now);
}

void Connection::queue_pong(TimePoint now) {
  const std::unique_ptr<std::string> payload = std::move(next_pong_);
  append({.opcode = Opcode::pong}, *payload, now);
  pong_left_ = queued_bytes();
}

void Connection::resume_reading(TimePoint now) {
  if (reading_) return;
  reading_ = true;
  last_received_ = now;
  pinged_ = never;
}

// --- sending

void Connection::append(const FrameStart& start, std::string_view payload, TimePoint now) {
  if (out_offset_ > 0 && out_offset_ >= out_.size() / 2) {
    out_.erase(0, out_offset_);
    out_offset_ = 0;
  }
  if (queued_bytes() == 0) stalled_since_ = now;
  append_frame(out_, role_, start, payload);
}

void Connection::send(Opcode opcode, std::string_view message, TimePoint now) {
  if (Deflater* const deflater = deflater_for(message.size())) {
    const std::string compressed = deflater->compress(message);
    // It travels so even where it has grown: a window that is kept remembers it.
    if (!compressed.empty()) {
      send_compressed(opcode, compressed, now);
      return;
    }
  }
  send_plain(opcode, message, now);
}

void Connection::close(std::uint16_t code, std::string_view reason, TimePoint now) {
  if (close_sent_) return;
  append({.opcode = Opcode::close}, close_payload(code, reason), now);
  close_sent_ = true;
  close_began_ = now;
  close_by_ = after(now, settings_->close_timeout);
  if (close_by_ != never) close_by_ += std::chrono::seconds(queued_bytes() / least_bytes_a_second);
  next_pong_.reset();  // nothing follows a close frame
}

void Connection::sent(std::size_t bytes, TimePoint now) {
  out_offset_ += bytes;
  pong_left_ -= std::min(pong_left_, bytes);
  if (bytes > 0 && ping_left_ > 0) {
    ping_left_ -= std::min(ping_left_, bytes);
    if (pinged_ != never) pinged_ = now;  // nobody answers what still stands behind a long message
  }
  if (bytes > 0) stalled_since_ = now;
  if (bytes > 0 && close_sent_) close_began_ = now;  // likewise: the close frame is the last of what is queued
  if (queued_bytes() == 0) {
    std::string().swap(out_);
    out_offset_ = 0;
    stalled_since_ = never;
  }
  if (pong_left_ == 0 && next_pong_) queue_pong(now);
}

// --- time

TimePoint Connection::deadline() const {
  TimePoint next = after(stalled_since_, settings_->write_stall);
  next = std::min({next, after(close_began_, settings_->close_timeout), close_by_});
  if (!reading_ || close_sent_) return next;
  if (pinged_ != never) return std::min(next, after(pinged_, settings_->ping_timeout));
  if (settings_->ping_timeout <= Clock::duration::zero()) return next;
  return std::min(next, after(last_received_, settings_->ping_after));
}

Connection::Due Connection::on_time(TimePoint now) {
  if (now < deadline()) return Due::nothing;
  if (now >= std::min(after(close_began_, settings_->close_timeout), close_by_)) return Due::close_late;
  if (now >= after(stalled_since_, settings_->write_stall)) return Due::peer_stuck;
  if (pinged_ != never) return Due::peer_silent;
  pinged_ = now;
  append({.opcode = Opcode::ping}, {}, now);
  ping_left_ = queued_bytes();
  return Due::nothing;
}

std::string Connection::describe() const {
  std::string text = close_sent_       ? (close_received_ ? "closed" : "close sent")
                     : close_received_ ? "close received"
                                       : "open";
  text += ", " + std::to_string(queued_bytes()) + " bytes queued";
  if (pinged_ != never) text += ", pinged";
  if (!reading_) text += ", not reading";
  return text;
}

}  // namespace trunkline::websocket
