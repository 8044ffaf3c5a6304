// The server's side of an HTTP/2 connection: bytes in, events out, and bytes to be sent. No I/O, no clock. Framing and
// HPACK are nghttp2's; what it leaves to its user is decided here: which requests are sound, flow control, floods.
// The same over TLS and in clear: what is received begins with the client's preface. Confined to one thread. Inside a
// callback anything may be called but receive(), produce() and lost().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <trunkline/headers.hpp>

#include "base/clock.h"
#include "http2/flow_control.h"
#include "http2/intake.h"
#include "http2/open_streams.h"
#include "http2/outlet.h"
#include "http2/ping.h"
#include "http2/request_block.h"
#include "http2/server_stream.h"
#include "http2/token_bucket.h"

struct nghttp2_session;

namespace trunkline::http2 {

// What an HTTP/2 client says first (RFC 9113 section 3.4).
inline constexpr std::string_view client_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Bounds on a client. Beyond those of one request its stream is answered with 431 or reset; beyond the others the
// session fails with ENHANCE_YOUR_CALM.
struct ServerLimits {
  std::uint32_t streams = 128;  // at once; announced, and more are refused (REFUSED_STREAM)
  // Of the head and trailers of one request, decoded, each field counted with 32 bytes more. Announced to the peer.
  std::size_t header_bytes = 64 * 1024;
  std::size_t header_count = 100;  // fields of the same
  // Bytes of a request that the peer may send ahead of the handler: at first, and at most while he keeps up.
  std::uint32_t first_window = 64 * 1024;
  std::uint32_t stream_window = 1024 * 1024;
  std::uint32_t connection_window = 4 * 1024 * 1024;  // the same of all requests together
  // Frames without progress: at once, and in the long run. What makes progress gives some back.
  std::int64_t idle_frames = 2000;
  std::int64_t idle_frames_per_second = 100;
  // Streams that end before their response, because the peer resets them (rapid reset, CVE-2023-44487) or breaks the
  // rules so that we must (MadeYouReset, CVE-2025-8671): at once, and in the long run.
  std::int64_t resets = 200;
  std::int64_t resets_per_second = 20;
};

class ServerSession {
 public:
  // Is told of new requests, and of what concerns all streams.
  class Observer {
   public:
    // The stream that will carry the exchange; it must live until its on_closed. Null: it is refused, the client may
    // try again (REFUSED_STREAM). `is_end`: no body follows; on_end does, at once. The session knows the stream when
    // this has returned: not before then may it be answered.
    virtual ServerStream* on_request(ReceivedRequest&& request, bool is_end) = 0;
    virtual void on_goaway(Code code, std::string_view debug) = 0;  // no new streams; open ones go on. Printable

   protected:
    ~Observer() = default;
  };

  ServerSession(const ServerLimits& limits, Observer& observer);
  ~ServerSession();  // tells nobody: see lost()
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  // False: the session has failed, failure() says why; what produce() still gives should be sent, and then the
  // connection closed. All open streams must then be ended with lost(). Some failures show in produce() only, when the
  // GOAWAY is made; whatever comes behind what broke the session is ignored, and so is what comes when it is over().
  bool receive(std::string_view bytes, TimePoint now);
  // Fills the buffer with what is to be sent: control frames, heads, then bodies in turn, in frames of up to 16 KiB.
  // 0: nothing, for now. At least 4 KiB.
  std::size_t produce(std::span<char> buffer);
  bool wants_write() const;

  // The final response, once. False: the stream can take none any more (it is closed, reset, or has one). Behind a 204
  // or 304, and to HEAD, no body is read whatever `has_body` says.
  bool respond(ServerStream& stream, const OutgoingResponse& response, bool has_body);
  // An interim response, 100, 102 or 103, before it. The headers are copied.
  bool inform(ServerStream& stream, int status, const Headers& headers);
  void resume(ServerStream& stream);                       // read_body has more
  void consumed(ServerStream& stream, std::size_t bytes);  // of what on_data delivered
  // Ends it; on_closed follows, not from inside the call. no_error, behind a complete response, asks the client to stop
  // sending what nobody will read.
  void reset(ServerStream& stream, Code code);
  // The connection is gone: on_closed for every open stream.
  void lost();

  // A graceful end in two steps (RFC 9113 section 6.8). First the client is told to open nothing new, while what is on
  // its way is still served; a round trip or a second later the last stream that will be served is named.
  void announce_end();
  void refuse_new();
  // After either side's GOAWAY: every stream is ended and all is written. The connection can be closed.
  bool over() const;

  void ping(TimePoint now);  // asks whether the peer lives, unless it is being asked
  bool ping_out() const { return ping_out_; }

  int open_streams() const { return streams_.count(); }
  bool settings_acknowledged() const { return settings_acknowledged_; }  // a client that never does is broken
  bool failed() const { return failed_; }
  const std::string& failure() const { return failure_; }  // for people and logs; printable
  Code failure_code() const { return failure_code_; }

 private:
  struct Callbacks;  // nghttp2's, in server_callbacks.h
  friend struct Callbacks;
  friend class Intake;

  // Receiving, in server_receive.cc.
  static Objection object(const FrameHead&, std::string_view) { return {}; }
  void feed(std::string_view bytes);
  bool is_deaf() const { return intake_.is_over(session_); }
  void begin_block(std::int32_t id, bool is_request);
  void add_field(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  void on_block_complete(std::int32_t id, bool end);
  void on_request_complete(std::int32_t id, bool end);
  void on_trailers_complete(ServerStream& stream, bool end);
  bool take_of_body(ServerStream& stream, std::size_t size);
  void end_request(ServerStream& stream);
  void refuse(std::int32_t id, Code code);
  void refuse_malformed(std::int32_t id);
  void answer_too_large(std::int32_t id);
  void count_reset();
  void close(ServerStream& stream, Code code);
  static ServerStreamEnd end_of(const ServerStream& stream, Code code);

  ServerStream* find(std::int32_t id) { return streams_.find(session_, id); }
  bool may_answer(const ServerStream& stream) const;
  std::string_view make_frame();
  void blame(Code code, std::string_view why);
  void fail(Code code, std::string message);
  void note_failure(Code code, std::string message);

  const ServerLimits limits_;
  Observer& observer_;
  nghttp2_session* session_ = nullptr;
  OpenStreams<ServerStream> streams_;

  // Receiving.
  Intake intake_;
  FlowControl flow_;
  TokenBucket resets_;
  RequestBlock block_;
  std::int32_t block_id_ = 0;      // whose fields are coming
  bool block_is_request_ = false;  // and not trailers
  FieldCount block_fields_;        // with those of the head that trailers stand behind
  enum class BlockState : unsigned char { sound, malformed, too_large, ignored };
  BlockState block_state_ = BlockState::ignored;
  std::size_t preface_left_ = client_preface.size();
  int invalid_frame_ = 0;  // nghttp2's number for what was wrong with the last one it refused
  TimePoint now_{};

  // Sending.
  Outlet outlet_;

  Ping ping_;
  bool ping_out_ = false;
  bool settings_acknowledged_ = false;
  bool goaway_seen_ = false;
  bool end_announced_ = false;
  bool refusing_ = false;
  bool failed_ = false;
  Code failure_code_ = Code::no_error;
  std::string failure_;
};

}  // namespace trunkline::http2
