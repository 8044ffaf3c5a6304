// The client's side of an HTTP/2 connection: bytes in, events out, and bytes to be sent. No I/O, no clock. Framing and
// HPACK are nghttp2's; what it leaves to its user is decided here: flow control, floods, which resets are harmless.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/error.hpp>
#include <trunkline/headers.hpp>

#include "base/clock.h"
#include "http2/stream.h"
#include "http2/token_bucket.h"

struct nghttp2_session;

namespace trunkline::http2 {

// Bounds on the peer.
struct Limits {
  std::size_t header_bytes = 64 * 1024;  // of one response's fields, decoded, each counted with 32 bytes more
  std::size_t header_count = 200;
  int informational = 10;  // 1xx before the response
  std::uint32_t stream_window = 1024 * 1024;
  std::uint32_t connection_window = 16 * 1024 * 1024;
  std::uint32_t most_streams = 1000;  // whatever more the peer permits
  std::int64_t idle_frames = 2000;    // frames without progress, at once
  std::int64_t idle_frames_per_second = 100;
};

// What a request's frames are made of.
struct RequestHead {
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;
  // Host becomes the authority; Connection and Keep-Alive, for which HTTP/2 has no word, are left out.
  const Headers* headers = nullptr;
  std::string_view user_agent;                  // sent unless the headers hold one or this is empty
  bool expect_continue = false;                 // sent unless the headers hold it
  std::optional<std::uint64_t> content_length;  // sent unless the headers hold it
};

class Session {
 public:
  // Is told what concerns all streams.
  class Observer {
   public:
    virtual void on_stream_limit(std::uint32_t streams) = 0;        // SETTINGS came, the first or a change
    virtual void on_goaway(Code code, std::string_view debug) = 0;  // no new streams; open ones may go on
    // Of streams that we have reset, so many count no longer: the peer has had time to know.
    virtual void on_slots_freed(int count) = 0;

   protected:
    ~Observer() = default;
  };

  Session(const Limits& limits, Observer& observer);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // False: the session has failed, failure() says why; what produce() still gives should be sent, and then the
  // connection closed. All open streams must then be ended with lost().
  bool receive(std::string_view bytes, TimePoint now);
  // Fills the buffer with what is to be sent. 0: nothing, for now.
  std::size_t produce(std::span<char> buffer);
  bool wants_write() const;

  // Whether the peer permits one more stream at present.
  bool may_open() const { return !settings_seen_ || static_cast<std::uint32_t>(open_) < peer_limit_; }
  // Opens a stream. False: no stream can be opened any more.
  bool submit(Stream& stream, const RequestHead& head, bool has_body);
  void resume(Stream& stream);                       // read_body has more
  void consumed(Stream& stream, std::size_t bytes);  // of what on_data delivered
  // Ends it; on_closed follows, not from inside the call. True: the peer counts it until it knows (on_slots_freed).
  // False: the peer has never heard of it.
  bool reset(Stream& stream, Code code);
  // The connection is gone: on_closed for every open stream.
  void lost();

  // Asks whether the peer lives. Answers are counted by pings_unanswered().
  void ping(TimePoint now);
  int pings_unanswered() const { return pings_out_; }
  // A PING that resets wait for, but that would have come too soon after another. `never`: there is none.
  TimePoint ping_due() const;
  void on_ping_due(TimePoint now);

  void say_goodbye();  // GOAWAY, when nothing is under way

  int open_streams() const { return open_; }
  int slots_kept() const { return kept_slots_; }  // of streams that we have reset
  bool failed() const { return failed_; }
  bool answered_in_http1() const { return http1_; }  // the peer speaks HTTP/1 only
  const Error& failure() const { return failure_; }
  bool settings_seen() const { return settings_seen_; }

 private:
  struct Callbacks;  // nghttp2's, in session.cc
  friend struct Callbacks;

  void fail(Code code, std::string message);
  bool spend(std::int64_t tokens);
  void note_end();
  void begin_fields();
  bool add_field(std::string_view name, std::string_view value);
  Headers take_fields();
  void on_fields_complete(Stream& stream, bool end);
  void end_response(Stream& stream);
  void forget(Stream& stream);
  void free_slots(TimePoint now);
  void ping_for_resets(TimePoint now);
  void grow(Stream& stream, std::size_t bytes);
  void pull_back_unsent();
  void close_dropped();

  const Limits limits_;
  Observer& observer_;
  nghttp2_session* session_ = nullptr;
  Stream* streams_ = nullptr;  // open
  Stream* dropped_ = nullptr;  // reset before they were sent, and still to be told
  int open_ = 0;

  // The header block under way; there is one at a time.
  std::string text_;  // its first text_size_ bytes
  std::size_t text_size_ = 0;
  std::optional<std::uint64_t> content_length_;
  std::vector<Headers::Slot> slots_;
  std::size_t field_bytes_ = 0;
  std::size_t block_bytes_ = 0;  // as they came
  int continuations_ = 0;
  int status_ = 0;

  TokenBucket bucket_;
  std::string_view unsent_;  // of a frame that did not fit into the last buffer; nghttp2's memory
  std::uint32_t peer_limit_ = 0;

  int pings_out_ = 0;
  int kept_slots_ = 0;         // resets that the peer may not know of
  int slots_before_ping_ = 0;  // of these, before the PING under way was sent
  bool reset_ping_wanted_ = false;
  bool reset_ping_out_ = false;
  bool progress_since_ping_ = true;
  TimePoint last_ping_{};
  TimePoint now_{};

  bool first_bytes_ = true;
  bool settings_seen_ = false;
  bool goaway_seen_ = false;
  std::int32_t goaway_last_ = 0;
  bool failed_ = false;
  bool http1_ = false;
  bool terminated_ = false;
  Code failure_code_ = Code::no_error;
  Error failure_;
};

}  // namespace trunkline::http2
