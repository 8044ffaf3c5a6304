// One exchange on an HTTP/2 session, as the session sees it. The client's exchange derives from this, so that a stream
// costs no look-up and no allocation here. Everything happens on the thread that drives the session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <trunkline/headers.hpp>

#include "http2/error_code.h"
#include "http2/flow_control.h"
#include "http2/message_bounds.h"

namespace trunkline::http2 {

template <class Stream>
class OpenStreams;

// How a stream ended, other than by a complete response.
struct StreamEnd {
  enum By : unsigned char {
    complete,         // both sides have said all
    us,               // Session::reset
    peer,             // RST_STREAM; with NO_ERROR behind a complete response it is `complete`
    unprocessed,      // the peer says that it has not touched it: GOAWAY, or REFUSED_STREAM
    unsent,           // by us: the peer permits fewer streams than it did, and has not seen this one
    malformed,        // the response breaks HTTP; only this stream is affected
    connection_lost,  // the session has ended
  } by = complete;
  Code code = Code::no_error;
  bool over_limit = false;  // with `malformed`: more fields or informational responses than Limits permit
};

// What one response may hold, informational ones and trailers included.
struct ResponseBounds {
  std::size_t header_bytes = 0;  // decoded, each field counted with 32 bytes more
  std::size_t header_count = 0;
  int informational = 0;
};

class Stream {
 public:
  // Of a request's body, into the space offered.
  struct Body {
    enum Kind : unsigned char {
      bytes,   // that many; `end` with the last
      later,   // none now: Session::resume
      failed,  // the stream is to be reset
    } kind = bytes;
    std::size_t size = 0;  // 0 without `end` is `later`
    bool end = false;
    const Headers* trailers = nullptr;  // with `end`; copied at once
  };

  virtual void on_informational(int status) = 0;
  virtual void on_response(int status, Headers&& fields, std::optional<std::uint64_t> content_length, bool is_end) = 0;
  // To be answered with Session::consumed, now or later, for every byte.
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_trailers(Headers&& fields) = 0;
  virtual void on_end() = 0;  // the response is complete; the request may not be
  // Once, last: the session has forgotten this stream, which may be destroyed or submitted again from here.
  virtual void on_closed(const StreamEnd& end) = 0;
  // The space is where the bytes leave from: nothing is copied again.
  virtual Body read_body(std::span<char> into) = 0;

  std::int32_t stream_id() const { return id_; }
  bool any_byte_sent() const { return sent_; }  // of the request
  bool to_head() const { return to_head_; }     // the request was HEAD

 protected:
  Stream() = default;
  virtual ~Stream() = default;  // virtual only because g++ warns about the friend
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

 private:
  friend class Session;
  friend class OpenStreams<Stream>;
  std::int32_t id_ = 0;
  int informational_ = 0;
  bool open_ = false;  // the session knows it
  bool sent_ = false;
  bool began_ = false;      // any head of a response came
  bool responded_ = false;  // its final head was delivered
  bool ended_ = false;      // END_STREAM came
  bool reset_by_us_ = false;
  bool reset_written_ = false;
  bool reset_by_peer_ = false;
  bool body_failed_ = false;
  bool malformed_ = false;
  bool over_limit_ = false;
  bool to_head_ = false;           // the response to HEAD has no body
  Code refusal_ = Code::no_error;  // why its response is malformed, if it was we who saw it
  BodyLength body_left_;
  Window window_;
  FieldCount fields_;
  ResponseBounds bounds_;
  Stream* previous_ = nullptr;  // among the open ones
  Stream* next_ = nullptr;
};

}  // namespace trunkline::http2
