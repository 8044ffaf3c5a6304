// One call on an HTTP/2 connection: between http2::Session, which speaks of frames, and Call, which speaks of requests.
// On the connection's loop only. Its connection keeps it for the next call, since a timer that stays in its loop's heap
// costs one store to set.
#pragma once

#include <memory>
#include <string>

#include <trunkline/options.hpp>

#include "client/carrier.h"
#include "http2/session.h"
#include "net/loop.h"

namespace trunkline {

class Call;
class Http2Connection;

class Http2Stream final : public Carrier, public http2::Stream, public net::Timer {
 public:
  explicit Http2Stream(Http2Connection& connection) : connection_(connection) {}
  ~Http2Stream() override = default;

  void begin(Call& call);
  void finish();  // what on_closed() left for finish_later(): gives the lease back and ends the call

  // Carrier
  net::Loop& loop() override;
  void resume_reading() override;
  void abort(CloseReason reason) override;
  void discard_rest() override { abort(CloseReason::cancelled); }

  // http2::Stream
  void on_informational(int status) override;
  void on_response(int status, Headers&& fields, std::optional<std::uint64_t> length, bool is_end) override;
  void on_data(std::string_view bytes) override;
  void on_trailers(Headers&& fields) override { trailers_ = std::move(fields); }
  void on_end() override;
  void on_closed(const http2::StreamEnd& end) override;
  Body read_body(std::span<char> into) override;

  // net::Timer: a time limit has passed.
  void on_timer() override;

 private:
  void refused(std::unique_ptr<Error> why = nullptr);
  void resume_writing();
  enum class Taken : unsigned char {
    all,      // and the call wants more
    enough,   // the call has been told; this may carry another by now
    refused,  // the call has failed
  };
  Taken take(std::string_view bytes);
  void finish_call();
  Duration time_of_answer();
  void fail(Error error, bool unprocessed);
  void reset(http2::Code code);
  void set_deadline(Duration limit, ErrorCode code);
  void sent_all();
  Error failure(ErrorCode code, std::string message) const;
  Error error_of(const http2::StreamEnd& end) const;
  void release_if_over();

  Http2Connection& connection_;
  Call* call_ = nullptr;
  TimePoint begun_{};
  TimePoint deadline_ = never;
  ErrorCode deadline_code_ = ErrorCode::timeout_total;
  bool counted_length_ = false;
  bool reused_ = false;
  bool started_ = false;    // any byte of the response came
  bool has_head_ = false;   // its final head came
  bool ended_ = false;      // all of the response came
  bool closed_ = true;      // the session has forgotten it
  bool finishing_ = false;  // finish() is due
  bool reset_ = false;      // by us
  bool pulled_back_ = false;
  bool slot_kept_ = false;  // the lease ends when the peer knows
  bool all_sent_ = false;
  bool refused_rest_ = false;  // by a final status before all was sent
  bool awaiting_continue_ = false;
  std::string held_;  // received and not asked for yet; bounded by the stream's window
  std::size_t held_taken_ = 0;
  Headers trailers_;          // of the response
  Headers request_trailers_;  // while they are copied
  std::size_t body_offset_ = 0;
  std::uint64_t source_left_ = 0;  // of a body source that told its length
  std::uint64_t exchange_ = 0;     // counts the calls that this object has carried
};

}  // namespace trunkline
