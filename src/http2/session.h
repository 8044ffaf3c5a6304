// The client's side of an HTTP/2 connection: bytes in, events out, and bytes to be sent. No I/O, no clock. Framing and
// HPACK are nghttp2's; what it leaves to its user is decided here: flow control, floods, which resets are harmless.
// Confined to one thread. Inside a callback anything may be called but receive(), produce() and lost().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <trunkline/error.hpp>
#include <trunkline/headers.hpp>

#include "base/clock.h"
#include "http2/field_block.h"
#include "http2/flow_control.h"
#include "http2/intake.h"
#include "http2/open_streams.h"
#include "http2/outlet.h"
#include "http2/ping.h"
#include "http2/request.h"
#include "http2/reset_ledger.h"
#include "http2/stream.h"

struct nghttp2_session;

namespace trunkline::http2 {

// Bounds on the peer. Beyond those of one response its stream is reset; beyond the others the session fails.
struct Limits {
  // Of all heads and trailers of one response, decoded, each field counted with 32 bytes more. Announced to the peer.
  std::size_t header_bytes = 64 * 1024;
  std::size_t header_count = 200;  // fields of the same
  int informational = 10;          // 1xx before the response
  // Bytes of a response that the peer may send ahead of the reader. It begins with 256 KiB and grows while he keeps up.
  std::uint32_t stream_window = 1024 * 1024;
  // The same of all responses together.
  std::uint32_t connection_window = 16 * 1024 * 1024;
  std::uint32_t most_streams = 1000;  // whatever more the peer permits
  // Frames without progress: at once, and in the long run. What makes progress gives some back.
  std::int64_t idle_frames = 2000;
  std::int64_t idle_frames_per_second = 100;
};

class Session {
 public:
  // Is told what concerns all streams.
  class Observer {
   public:
    virtual void on_stream_limit(std::uint32_t streams) = 0;        // SETTINGS came, the first or a change
    virtual void on_goaway(Code code, std::string_view debug) = 0;  // no new streams; open ones may go on. Printable
    // Of streams that we have reset, so many count no longer: the peer knows.
    virtual void on_slots_freed(int count) = 0;

   protected:
    ~Observer() = default;
  };

  Session(const Limits& limits, Observer& observer);
  ~Session();  // tells nobody: see lost()
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // False: the session has failed, failure() says why; what produce() still gives should be sent, and then the
  // connection closed. All open streams must then be ended with lost().
  bool receive(std::string_view bytes, TimePoint now);
  // Fills the buffer with what is to be sent: control frames, requests, then bodies in turn, in frames of up to 16 KiB.
  // 0: nothing, for now. At least 4 KiB.
  std::size_t produce(std::span<char> buffer);
  bool wants_write() const;

  // Whether the peer permits one more stream at present. Before its SETTINGS it is the caller's to know.
  bool may_open() const { return !settings_seen_ || static_cast<std::uint32_t>(streams_.count()) < peer_limit_; }
  // Opens a stream. False: no stream can be opened any more. Without `bounds` those of the session are its response's.
  bool submit(Stream& stream, const RequestHead& head, bool has_body, const ResponseBounds* bounds = nullptr);
  void resume(Stream& stream);                       // read_body has more
  void consumed(Stream& stream, std::size_t bytes);  // of what on_data delivered
  // Ends it; on_closed follows, not from inside the call. True: the peer counts it until it knows (on_slots_freed).
  // False: the peer has never heard of it.
  bool reset(Stream& stream, Code code);
  // The connection is gone: on_closed for every open stream.
  void lost();

  // Asks whether the peer lives, unless it is being asked.
  void ping(TimePoint now);
  int pings_unanswered() const { return resets_.ping_out() ? 1 : 0; }
  // A PING that resets wait for, but that would have come too soon after another. `never`: there is none.
  TimePoint ping_due() const { return failed_ ? never : resets_.ping_due(); }
  void on_ping_due(TimePoint now);

  void say_goodbye();  // GOAWAY; open streams end with it

  int open_streams() const { return streams_.count(); }
  int slots_kept() const { return resets_.kept(); }  // of streams that we have reset
  bool failed() const { return failed_; }
  bool answered_in_http1() const { return http1_; }  // the peer speaks HTTP/1 only
  const Error& failure() const { return failure_; }
  Code failure_code() const { return failure_code_; }
  bool settings_seen() const { return settings_seen_; }

  void skip_stream_ids(std::int32_t next);  // for tests of what happens when they run out

 private:
  struct Callbacks;  // nghttp2's, in callbacks.h
  friend struct Callbacks;
  friend class Intake;

  // Receiving, in session_receive.cc.
  Objection object(const FrameHead& frame, std::string_view head);
  void feed(std::string_view bytes);
  bool is_deaf() const { return intake_.is_over(session_); }
  void settle();
  bool admit(Stream& stream, nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  void refuse(Stream& stream, Code code);
  void on_fields_complete(Stream& stream, bool end);
  void on_trailers_complete(Stream& stream, bool end);
  bool take_of_body(Stream& stream, std::size_t size);
  void end_response(Stream& stream);
  void close(Stream& stream, Code code);
  StreamEnd end_of(const Stream& stream, Code code) const;

  Stream* find(std::int32_t id) { return streams_.find(session_, id); }
  void forget(Stream& stream);
  void pull_back_unsent();
  void close_dropped();
  void submit_ping(TimePoint now);
  std::string_view next_frame();
  std::string_view make_frame();
  void blame(Code code, std::string_view why);
  void fail(Code code, std::string message);
  void note_failure(Code code, std::string message);
  void freed(int slots) {
    if (slots > 0) observer_.on_slots_freed(slots);
  }

  const Limits limits_;
  Observer& observer_;
  nghttp2_session* session_ = nullptr;
  OpenStreams<Stream> streams_;
  Stream* dropped_ = nullptr;  // reset before they were sent, and still to be told

  // Receiving.
  Intake intake_;
  FlowControl flow_;
  FieldBlock block_;
  Stream* block_of_ = nullptr;  // whose fields are coming
  int invalid_frame_ = 0;       // nghttp2's number for what was wrong with the last one it refused
  bool first_frame_ = true;
  TimePoint now_{};

  // Sending.
  Outlet outlet_;
  bool preface_sent_ = false;

  std::uint32_t peer_limit_ = 0;
  ResetLedger resets_;
  Ping ping_;

  bool settings_seen_ = false;
  bool goaway_seen_ = false;
  bool goaway_said_ = false;
  bool failed_ = false;
  bool http1_ = false;
  Code failure_code_ = Code::no_error;
  Error failure_;
};

}  // namespace trunkline::http2
