// One end of an open WebSocket: messages, keep-alive and the closing handshake. A plain state machine: bytes in, events
// and bytes out, the clock a parameter. Between messages it owns no memory but itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "websocket/deflate.h"
#include "websocket/message_decoder.h"

namespace trunkline::websocket {

// Zero in a time: that limit does not exist.
struct Settings {
  DecoderLimits limits;
  std::size_t send_queue_bytes = 1024 * 1024;             // a message is taken while less than this waits
  Clock::duration ping_after = std::chrono::seconds(30);  // silence after which the peer is asked whether it lives
  Clock::duration ping_timeout = std::chrono::seconds(10);
  Clock::duration close_timeout = std::chrono::seconds(5);
  Clock::duration write_stall = std::chrono::seconds(30);  // the peer takes no bytes
  std::size_t smallest_compressed = 256;                   // shorter messages are not worth compressing

  bool operator==(const Settings&) const = default;
};

class Connection {
 public:
  enum class Event : unsigned char {
    need_more,  // all input was consumed
    message,    // text() and take_message()
    closed,     // by the peer's close frame: close_code() and close_reason(); output() may hold our answer
    failed,     // failure(): the peer broke the rules; output() may hold the frame that says so
  };
  // What is to be done when a time has come.
  enum class Due : unsigned char {
    nothing,      // perhaps output() has a PING
    peer_silent,  // no answer to a PING: end it
    peer_stuck,   // it takes no bytes: end it
    close_late,   // no answer to our close frame, or no end of the connection after it: end it
  };

  Connection(Role role, const Settings& settings, const std::optional<DeflateParameters>& deflate, TimePoint now);
  // For a server, which is made before its handshake: what that has agreed on. Before the first byte is received; what
  // was sent until then stays as it is, which permessage-deflate permits for every message.
  void agree(const DeflateParameters& deflate);

  // As MessageDecoder::next; PINGs are answered and PONGs noted inside.
  Event next(std::string_view& input, TimePoint now);
  bool text() const { return decoder_.text(); }
  std::string take_message() { return decoder_.take_message(); }
  const Failure& failure() const { return decoder_.failure(); }
  std::uint16_t close_code() const { return decoder_.close_code(); }
  const std::string& close_reason() const { return decoder_.control_payload(); }

  // A message may be sent while neither side has said close and has_room().
  bool may_send() const { return !close_sent_ && !close_received_; }
  bool has_room() const { return queued_bytes() < settings_->send_queue_bytes; }
  std::size_t send_queue_bytes() const { return settings_->send_queue_bytes; }
  void send(Opcode opcode, std::string_view message, TimePoint now);
  // What send() would compress a message of this size with; null: nothing. Whoever compresses by himself, so as not to
  // do it in between, sends the outcome. It stays the same from agree() on, as long as this object lives.
  Deflater* deflater_for(std::size_t message_size) const {
    return message_size >= settings_->smallest_compressed ? deflater_.get() : nullptr;
  }
  void send_compressed(Opcode opcode, std::string_view compressed, TimePoint now) {
    append({.opcode = opcode, .compressed = true}, compressed, now);
  }
  void send_plain(Opcode opcode, std::string_view message, TimePoint now) { append({.opcode = opcode}, message, now); }
  // Says close, once, behind what is queued. `code` no_status: without a code.
  void close(std::uint16_t code, std::string_view reason, TimePoint now);

  // What is to be written, in this order; sent() says how much of it was.
  std::string_view output() const { return std::string_view(out_).substr(out_offset_); }
  void sent(std::size_t bytes, TimePoint now);
  std::size_t queued_bytes() const { return out_.size() - out_offset_; }

  // While nobody reads, silence is not the peer's fault.
  void pause_reading() { reading_ = false; }
  void resume_reading(TimePoint now);

  TimePoint deadline() const;
  Due on_time(TimePoint now);

  bool close_sent() const { return close_sent_; }
  bool close_received() const { return close_received_; }
  // Both have said close and all is written: the server ends the connection now, the client waits for that.
  bool over() const { return close_sent_ && close_received_ && queued_bytes() == 0; }
  std::string describe() const;

 private:
  void append(const FrameStart& start, std::string_view payload, TimePoint now);
  void answer_ping(const std::string& payload, TimePoint now);
  void queue_pong(TimePoint now);

  const std::shared_ptr<const Settings> settings_;
  MessageDecoder decoder_;
  std::unique_ptr<Deflater> deflater_;  // with permessage-deflate
  std::string out_;
  std::size_t out_offset_ = 0;
  std::unique_ptr<std::string> next_pong_;  // the answer to the latest PING, while an earlier one is still queued
  std::size_t pong_left_ = 0;               // bytes until the queued PONG has left; 0: none is queued
  std::size_t ping_left_ = 0;               // bytes until the queued PING has left
  TimePoint last_received_;
  TimePoint pinged_ = never;         // an answer is due: since the PING was queued, or its way out last went on
  TimePoint stalled_since_ = never;  // bytes wait, and none have left since then
  TimePoint close_began_ = never;    // an answer is due: since close was said, or its way out last went on
  TimePoint close_by_ = never;       // at the latest
  Role role_;
  bool reading_ = true;
  bool close_sent_ = false;
  bool close_received_ = false;
};

}  // namespace trunkline::websocket
