// HTTP/1.1 responses: bytes in, events out, strictly by RFC 9112. No I/O, no clock. What can be read in two ways is an
// error, and after an error the connection is never used again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

#include "http1/block_reader.h"
#include "http1/chunked_body.h"

namespace trunkline::http1 {

// Bounds on what a peer may send before we stop listening to it.
struct DecoderLimits {
  std::size_t head_bytes = 64 * 1024;  // status lines and fields of all heads (1xx, final) and trailers together
  std::size_t line_bytes = 16 * 1024;  // one line
  std::size_t field_count = 200;       // over all heads and trailers of one response
  int informational = 10;              // 1xx responses before the final one
  std::size_t chunk_line_bytes = 256;  // a chunk-size line with its extensions
  std::size_t chunk_extension_bytes = 16 * 1024;  // extensions of one response together
};

// What the request was, as far as it decides how its response is framed.
struct RequestFraming {
  bool head = false;     // HEAD: the response has no body
  bool connect = false;  // CONNECT: a 2xx has no body and ends HTTP
  bool upgrade = false;  // an Upgrade was asked for: 101 is allowed and ends HTTP
};

struct ResponseHead {
  int status = 0;
  int minor_version = 1;  // of HTTP/1.x
  std::string reason;
  Headers headers;
};

class ResponseDecoder {
 public:
  enum class Event : unsigned char {
    need_more,      // all input was consumed
    informational,  // a 1xx head (not 101) is in head()
    head,           // the final head is in head(); body() says what follows
    data,           // data() holds body bytes, a view into the input
    end,            // the response is complete; trailers() may hold fields; bytes left over in the input are not ours
    error,          // error() says what; nothing may follow
  };

  explicit ResponseDecoder(const DecoderLimits& limits = {}) { set_limits(limits); }

  void set_limits(const DecoderLimits& limits);  // before begin()

  // Starts anew for the response to one request.
  void begin(const RequestFraming& request);

  // Takes bytes from the front of `input` (removing what it took) and returns the next event. Call again while it
  // returns something other than need_more, end or error. Bytes of an incomplete head are kept inside until it is
  // complete, so the input need not be offered again.
  Event next(std::string_view& input);

  // The peer closed. Returns `end` when the body runs to the close, otherwise `error`.
  Event finish();

  ResponseHead& head() { return head_; }
  std::string_view data() const { return data_; }
  Headers& trailers() { return trailers_; }
  const Error& error() const { return *error_; }

  enum class Body : unsigned char { none, length, chunked, until_close };
  Body body() const { return body_; }
  std::uint64_t content_length() const { return content_length_; }  // when body() is `length`
  // Of a `length` body or of a chunk, still to come.
  std::uint64_t remaining() const { return body_ == Body::chunked ? chunks_.remaining() : remaining_; }
  bool started() const { return started_; }      // any byte of this response was seen
  bool head_seen() const { return head_done_; }  // the final head was delivered
  bool upgraded() const { return upgraded_; }    // 101, or 2xx to CONNECT: what follows is not HTTP
  // After `end`: the connection may carry another request (HTTP/1.1, no Connection: close, delimited body, ...).
  bool keep_alive() const { return keep_alive_; }
  // Seconds of a "Keep-Alive: timeout=N" hint, or -1.
  int keep_alive_timeout() const { return keep_alive_timeout_; }

 private:
  enum class State : unsigned char {
    head,  // status line and fields, of an informational or the final response
    length_body,
    close_body,
    chunked_body,
    trailers,
    done,
    failed,
  };
  using Step = BlockReader::Step;

  // What the fields of one head say about framing and reuse.
  struct Framing {
    std::uint64_t length = 0;
    bool has_length = false;
    bool chunked = false;
    bool close = false;
    bool keep_alive = false;
    bool has_upgrade = false;
  };

  Event next_block(std::string_view& input);
  Step parse_block(std::string_view block, std::vector<Headers::Slot>& slots);
  Step judge_line(const char* begin, const char* line, const char* end);
  void refuse_field_count();
  bool refuse_trailer(std::string_view name);
  const char* parse_status_line(const char* p, const char* end);
  bool note_field(std::string_view name, std::string_view value);
  bool check_start(std::string_view block);
  Event complete_head();
  Event complete_final_head();
  Event next_of_chunks(std::string_view& input);
  Event complete();
  Event fail(ErrorCode code, std::string_view what);
  Event fail_field(std::string_view name, std::string_view what);

  DecoderLimits limits_;
  RequestFraming request_;
  ResponseHead head_;
  Headers trailers_;
  std::string_view data_;
  std::unique_ptr<Error> error_;
  BlockReader block_;  // a head or the trailers
  ChunkedBody chunks_;
  Framing framing_;
  std::size_t head_bytes_used_ = 0;  // by the blocks before
  std::size_t fields_used_ = 0;
  int informational_seen_ = 0;
  std::uint64_t content_length_ = 0;
  std::uint64_t remaining_ = 0;  // of a `length` body
  int keep_alive_timeout_ = -1;
  State state_ = State::head;
  Body body_ = Body::none;
  bool status_line_seen_ = false;
  bool head_done_ = false;
  bool started_ = false;
  bool upgraded_ = false;
  bool may_keep_alive_ = false;
  bool keep_alive_ = false;
};

}  // namespace trunkline::http1
