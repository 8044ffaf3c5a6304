// What a peer sends, on its way to nghttp2: every frame is counted before anybody looks into it. A flood is made of
// frames that bring nothing, whatever their type, and of header blocks that do not end.
//
// Every frame costs one but DATA of some size, which costs the peer more than us. If it turns out to be progress it
// earns more than it cost: then one can tell a flood from a lively connection, which needs to be seen from behind.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http2/error_code.h"
#include "http2/frame_scanner.h"
#include "http2/token_bucket.h"

namespace trunkline::http2 {

// What is wrong with a frame, to be seen from its head. Nothing where `why` is empty.
struct Objection {
  Code code = Code::no_error;
  std::string_view why;  // goes on from "the server" or "the client"
};

class Intake {
 public:
  Intake(std::int64_t idle_frames, std::int64_t idle_frames_per_second, std::size_t header_bytes)
      : allowance_(idle_frames, idle_frames_per_second), most_block_bytes_(4 * header_bytes) {}

  // Gives all of it to session.feed(), a piece at a time. session.object() has a say in every frame, session.blame()
  // hears what is wrong. What comes behind a failure, or when the session is over, goes nowhere.
  template <class Session>
  void take(Session& session, std::string_view bytes, TimePoint now);

  // Of one block, from now on: who shares a session may bear more than who began it.
  void permit_header_bytes(std::size_t bytes) { most_block_bytes_ = std::max(most_block_bytes_, 4 * bytes); }

  // Either side says GOAWAY. With the last stream the session is over, and what comes then is ignored. nghttp2 asks
  // whether it is so only when it is given bytes: from here on it is given a frame at a time, so that cuts make no
  // difference.
  void begin_end() { ends_ = true; }
  bool is_over(nghttp2_session* session) const { return ends_ && nghttp2_session_want_read(session) == 0; }

  // What progress earns. A message may come with a PING and window updates; a body that we send is answered with window
  // updates, by some peers two for each 4 KiB.
  void earn_message() { allowance_.earn(4); }
  void earn_data() { allowance_.earn(4); }
  void earn_end() { allowance_.earn(1); }     // of a message: the frame that said so
  void earn_answer() { allowance_.earn(1); }  // if not the one we wanted
  // What the peer sends to a stream before it hears of our reset costs it nothing: fields, a small piece, its own
  // reset.
  void earn_reset() { allowance_.earn(4); }
  void earn_sent_data(std::size_t bytes) {
    constexpr std::size_t bytes_per_frame = 1024;
    allowance_.earn(1 + static_cast<std::int64_t>(bytes / bytes_per_frame));
  }

 private:
  static std::int64_t cost_of(const FrameHead& frame) {
    constexpr std::uint32_t most_padding = 256;  // and its length
    return frame.type == FrameType::data && frame.length > most_padding ? 0 : 1;
  }
  // nghttp2 would let them pass. Encoded, fields are hardly ever longer than decoded, but a peer that knows our limit
  // may still try.
  bool is_endless_block(const FrameHead& frame) {
    constexpr int most_continuations = 8;  // of one header block; nghttp2 may have a limit of its own
    if (frame.type == FrameType::headers) {
      continuations_ = 0;
      block_bytes_ = frame.length;
    } else if (frame.type == FrameType::continuation) {
      block_bytes_ += frame.length;
      return ++continuations_ > most_continuations || block_bytes_ > most_block_bytes_;
    }
    return false;
  }
  template <class Session>
  Objection objection_of(Session& session) {
    const Objection objection = session.object(scanner_.frame(), scanner_.head_bytes());
    if (!objection.why.empty()) return objection;
    if (is_endless_block(scanner_.frame())) return {Code::enhance_your_calm, "'s header fields do not end"};
    return {};
  }

  FrameScanner scanner_;
  TokenBucket allowance_;
  std::size_t most_block_bytes_;
  std::size_t block_bytes_ = 0;  // of the header block under way, as they come
  int continuations_ = 0;
  bool ends_ = false;
};

template <class Session>
void Intake::take(Session& session, std::string_view bytes, TimePoint now) {
  allowance_.refill(now);
  if (session.is_deaf()) return;
  std::string_view unfed = bytes;  // nghttp2 has not seen it
  std::string_view rest = bytes;   // the scanner has not
  for (;;) {
    const std::size_t kept = scanner_.kept();
    if (!scanner_.next(rest)) break;
    const std::size_t before = unfed.size() - rest.size() - (frame_head_size - kept);
    const std::int64_t cost = cost_of(scanner_.frame());
    bool paid = allowance_.take(cost);
    const Objection objection = objection_of(session);
    if (!paid || !objection.why.empty() || ends_) {
      session.feed(unfed.substr(0, before));  // it may have earned something, or been the end
      unfed.remove_prefix(before);
      if (session.failed() || session.is_deaf()) return;
      paid = paid || allowance_.take(cost);
      if (!objection.why.empty()) return session.blame(objection.code, objection.why);
      if (!paid) {
        return session.blame(Code::enhance_your_calm, " floods the connection with frames that carry nothing");
      }
    }
    if (scanner_.frame().type == FrameType::goaway) begin_end();
    if (kept > 0) {
      session.feed(scanner_.head_bytes());
      unfed = rest;
    }
  }
  // An incomplete frame head waits in the scanner: nghttp2 counts the pieces of some as frames.
  unfed.remove_suffix(std::min(scanner_.kept(), unfed.size()));
  session.feed(unfed);
}

}  // namespace trunkline::http2
