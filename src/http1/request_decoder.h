// HTTP/1.1 requests: bytes in, events out, strictly by RFC 9112. No I/O, no clock. What a proxy in front of us could
// read in another way is refused, with the status to answer with, and after a refusal the connection is never used
// again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/headers.hpp>

#include "http1/block_reader.h"
#include "http1/chunked_body.h"

namespace trunkline::http1 {

// Bounds on what a client may send. The status says what it hears when it sends more.
struct RequestLimits {
  std::size_t request_line_bytes = 8 * 1024;      // 414
  std::size_t field_bytes = 64 * 1024;            // fields and trailers of one request together: 431
  std::size_t field_count = 100;                  // the same: 431
  std::uint64_t body_bytes = 16 * 1024 * 1024;    // 413; RequestDecoder::limit_body lowers it for one request
  std::size_t chunk_line_bytes = 256;             // a chunk-size line with its extensions: 400
  std::size_t chunk_extension_bytes = 16 * 1024;  // extensions of one request together: 413
};

struct ReceivedRequest {
  std::string method;  // a token of at most 32 bytes; whether it means anything is the router's to say
  // "/path?query"; "*" with OPTIONS; "host:port" with CONNECT; or a whole http or https URL, whose authority is the
  // Host's. No spaces, controls, "#" or bytes above ASCII.
  std::string target;
  int minor_version = 1;  // of HTTP/1.x: 0 or 1
  Headers headers;        // with HTTP/1.1 exactly one valid Host; with HTTP/1.0 at most one
};

// Why a request was refused.
struct RequestRefusal {
  int status = 400;  // 400, 413, 414, 417, 431, 501 or 505
  std::string what;  // for people; never a field's value
};

class RequestDecoder {
 public:
  enum class Event : unsigned char {
    need_more,  // all input was consumed
    head,       // head() holds the request; body() says what follows
    data,       // data() holds body bytes, a view into the input
    end,        // the request is complete; trailers() may hold fields; what is left in the input is the next request's
    error,      // refusal() says why; nothing may follow
  };
  enum class Body : unsigned char { none, length, chunked };

  explicit RequestDecoder(const RequestLimits& limits = {});

  // Starts anew for the next request of the connection.
  void begin();

  // Takes bytes from the front of `input` (removing what it took) and returns the next event. Call again while it
  // returns something other than need_more, end or error. Bytes of an incomplete head are kept inside until it is
  // complete, so the input need not be offered again.
  Event next(std::string_view& input);

  // The peer closed. Returns `end` between requests, otherwise `error`.
  Event finish();

  // Right after `head`: this request's body may be no larger than that, nor than RequestLimits says. False: it has
  // announced a larger one and is refused (413), as `next` will say too.
  bool limit_body(std::uint64_t bytes);

  ReceivedRequest& head() { return head_; }
  std::string_view host() const {
    return noted_.has_host ? head_.headers[noted_.host_index].value : std::string_view();
  }
  std::string_view data() const { return data_; }
  Headers& trailers() { return trailers_; }
  const RequestRefusal& refusal() const { return *refusal_; }

  Body body() const { return body_; }
  std::uint64_t content_length() const { return content_length_; }  // when body() is `length`
  // Any byte of this request was seen. An empty line before it does not count.
  bool started() const { return head_done_ || block_.keeps_any() || state_ == State::failed; }
  bool head_seen() const { return head_done_; }            // `head` was returned
  bool complete() const { return state_ == State::done; }  // `end` was returned
  // The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const { return expects_continue_; }
  // It asks for another protocol (Upgrade, listed in Connection). Whether it gets it is the server's choice.
  bool wants_upgrade() const { return wants_upgrade_; }
  // The client permits another request behind this one, if all of it is read.
  bool keep_alive() const { return keep_alive_; }

 private:
  enum class State : unsigned char {
    start,     // one CR LF may stand before the request
    start_lf,  // its LF
    head,
    length_body,
    chunked_body,
    trailers,
    done,
    failed,
  };
  using Step = BlockReader::Step;

  // What the fields of the head say, before they are judged together.
  struct Noted {
    std::uint64_t length = 0;
    bool has_length = false;
    bool chunked = false;
    bool close = false;
    bool keep_alive = false;
    bool upgrade_option = false;
    bool upgrade_field = false;
    bool expects_continue = false;
    bool has_host = false;
    std::size_t host_index = 0;  // among the fields
  };

  bool skip_empty_line(std::string_view& input);
  Event next_block(std::string_view& input);
  Step parse_block(std::string_view block, std::vector<Headers::Slot>& slots);
  Step judge_line(const char* begin, const char* line, const char* end);
  const char* parse_request_line(const char* line, const char* end);
  bool check_start(std::string_view block);
  bool note_field(std::string_view name, std::string_view value, std::size_t index);
  void note_connection(std::string_view options);
  std::string_view target_problem() const;
  Event complete_head();
  Event next_of_chunks(std::string_view& input);
  Event complete_message();
  Event fail(int status, std::string_view what);
  Event fail_body();
  Event fail_field(std::string_view name, std::string_view what, int status = 400);

  const RequestLimits limits_;
  ReceivedRequest head_;
  Headers trailers_;
  std::string_view data_;
  std::unique_ptr<RequestRefusal> refusal_;
  BlockReader block_;  // the head or the trailers
  ChunkedBody chunks_;
  Noted noted_;
  std::size_t fields_start_ = 0;  // in the block: where the request line ends
  std::size_t field_bytes_used_ = 0;
  std::size_t fields_used_ = 0;
  std::uint64_t content_length_ = 0;
  std::uint64_t remaining_ = 0;  // of a `length` body
  std::uint64_t body_limit_ = 0;
  State state_ = State::start;
  Body body_ = Body::none;
  bool line_seen_ = false;  // the request line
  bool head_done_ = false;
  bool expects_continue_ = false;
  bool wants_upgrade_ = false;
  bool keep_alive_ = false;
};

}  // namespace trunkline::http1
