// The half of Connection that sends: the head, and with it as much of the body as there is.
#include <algorithm>
#include <array>
#include <memory>

#include "base/per_thread.h"
#include "client/body_source.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/source_event.h"

namespace trunkline {

using net::Io;

namespace {

constexpr std::size_t source_piece = 16 * 1024;

http1::DecoderLimits decoder_limits(const ResponseLimits& limits) {
  http1::DecoderLimits result;
  result.head_bytes = limits.head_bytes;
  result.line_bytes = limits.line_bytes;
  result.field_count = limits.header_count;
  result.informational = limits.informational;
  return result;
}

}  // namespace

void Connection::begin(Call& call, bool by_caller) {
  call_ = &call;
  call.on_begin(*this, *this);
  if (by_caller) {
    set_caller_mode();
  } else {
    mode_.store(Mode::loop, std::memory_order_relaxed);
    if (quiet_since_.load(std::memory_order_relaxed) != heard) listen(net::readable);
  }
  pool_limits_ = call.pool_limits();
  decoder_->set_limits(decoder_limits(call.response_limits()));
  decoder_->begin(call.framing());
  body_offset_ = 0;
  sent_before_ = stream().bytes_sent();
  discard_left_ = 0;
  source_left_ = 0;
  deadline_code_ = ErrorCode::timeout_total;
  deadline_ = never;
  sending_body_ = source_done_ = awaiting_source_ = all_sent_ = send_failed_ = false;
  peer_closed_ = discarding_ = false;
  // The server may have closed it since it was granted, while this was on its way to the loop.
  may_be_readable_ = !by_caller && peer_spoke;

  const Request& request = call.request();
  const http1::RequestHead head = call.head();
  struct HeadText;
  const std::string_view head_text = http1::encode_head(head, per_thread<std::string, HeadText>());
  awaiting_continue_ = head.expect_continue;
  chunked_ = !head.content_length.has_value();
  if (request.source() && head.content_length) source_left_ = *head.content_length;

  // Head and body leave in one system call where they can.
  std::array<std::string_view, 2> parts{head_text, {}};
  if (!request.source() && !awaiting_continue_) parts[1] = request.body();
  const net::WriteResult result = stream().write(parts);
  std::size_t accepted = result.io == Io::ok ? result.accepted : 0;
  if (result.io == Io::failed || result.io == Io::closed) send_failed_ = true;
  if (accepted < head_text.size()) {
    out_.assign(head_text, accepted);
    out_offset_ = 0;
  } else {
    body_offset_ = accepted - head_text.size();
  }
  if (!send_failed_) {
    write_some();
    if (!call.carried_by(this)) return;
  }
  if (send_failed_) {
    // The peer may still have answered before it closed: the reading side decides. Not from inside begin(): the caller
    // of a callback API must not be called back from there.
    may_be_readable_ = true;
    set_deadline(call.limits().first_byte, ErrorCode::timeout_first_byte);
  }
  if (may_be_readable_ && !by_caller) read_later();
}

void Connection::read_later() {
  loop_.post([weak = call_->weak_from_this(), this, at = requests] {
    // While the call is on this connection, the connection lives.
    const auto living = weak.lock();
    if (living && living->carried_by(this) && requests == at) on_events(net::readable);
  });
}

// Sends what is ready, and notes what it waits for.
void Connection::write_some() {
  Call& call = *call_;
  wants_writable_ = false;
  for (;;) {
    if (out_offset_ < out_.size()) {
      const std::array<std::string_view, 1> parts{std::string_view(out_).substr(out_offset_)};
      const net::WriteResult result = stream().write(parts);
      if (result.io == Io::again) break;
      if (result.io != Io::ok) {
        send_failed_ = true;
        return;
      }
      out_offset_ += result.accepted;
      continue;
    }
    if (out_.capacity() > 1024) std::string().swap(out_);
    out_.clear();
    out_offset_ = 0;
    if (awaiting_continue_) break;
    const Request& request = call_->request();
    if (!request.source()) {
      const std::string& body = request.body();
      if (body_offset_ == body.size()) break;
      const std::array<std::string_view, 1> parts{std::string_view(body).substr(body_offset_)};
      const net::WriteResult result = stream().write(parts);
      if (result.io == Io::again) break;
      if (result.io != Io::ok) {
        send_failed_ = true;
        return;
      }
      body_offset_ += result.accepted;
      continue;
    }
    if (source_done_ || awaiting_source_ || !gather_body()) break;
    if (!call.carried_by(this)) return;  // the source failed, and the exchange with it
  }
  if (stream().has_pending_output()) {
    const net::WriteResult result = stream().flush();
    if (result.io == Io::failed || result.io == Io::closed) {
      send_failed_ = true;
      return;
    }
  }
  const Request& request = call_->request();
  const bool nothing_left = out_.empty() && !stream().has_pending_output();
  const bool body_left = request.source() ? !source_done_ : body_offset_ < request.body().size();
  if (nothing_left && awaiting_continue_) {
    if (deadline_code_ != ErrorCode::last_) set_deadline(call_->limits().expect_continue, ErrorCode::last_);
  } else if (nothing_left && !body_left) {
    if (!all_sent_) sent();
  } else if (awaiting_source_ && nothing_left) {
    set_deadline(Duration::zero(), ErrorCode::timeout_total);  // the caller's own pace is not the peer's stall
  } else {
    wants_writable_ = true;
    set_deadline(call_->limits().write_stall, ErrorCode::timeout_write);
    if (mode_.load(std::memory_order_relaxed) == Mode::loop) {
      listen(net::readable | net::writable);
    }
  }
}

// Takes the next piece from the caller's source into out_. False: there is none now.
bool Connection::gather_body() {
  const Request& request = call_->request();
  struct Piece {
    std::array<char, source_piece> bytes;
    bool in_use = false;
  };
  // A source may itself send a body from this thread: then that one has a piece of its own.
  auto& usual = per_thread<Piece, Piece>();
  const std::unique_ptr<Piece> own = usual.in_use ? std::make_unique<Piece>() : nullptr;
  Piece& piece = own ? *own : usual;
  Callback<void()> resume;
  if (in_caller_mode()) {
    const std::shared_ptr<SourceEvent>& event = call_->source_event();
    if (event->fd() < 0) {
      fail(failure(ErrorCode::no_sockets, "the process has no descriptor left to wait for the request body with"),
           CloseReason::cancelled);
      return true;
    }
    resume = [event] { event->wake(); };
  } else {
    resume = [loop = loop_.mailbox(), weak = call_->weak_from_this(), this, at = requests] {
      loop.post([weak, this, at] {
        // While the call lives and is on this connection, so is the connection.
        const auto call = weak.lock();
        if (call && call->carried_by(this) && requests == at) resume_writing();
      });
    };
  }
  piece.in_use = true;
  BodySource::Pull pull = pull_from(*request.source(), piece.bytes, std::move(resume));
  piece.in_use = false;
  awaiting_source_ = pull.kind == BodySource::Pull::later;
  switch (pull.kind) {
    case BodySource::Pull::later:
      return false;
    case BodySource::Pull::failed:
      fail(failure(ErrorCode::body_source_failed, "the request body could not be read: " + pull.reason),
           CloseReason::cancelled);
      return true;
    case BodySource::Pull::bytes: {
      const std::string_view bytes(piece.bytes.data(), pull.size);
      if (chunked_) {
        http1::encode_chunk_prefix(bytes.size(), out_);
        out_.append(bytes).append("\r\n");
        return true;
      }
      if (bytes.size() > source_left_) {
        fail(failure(ErrorCode::body_source_failed, "the request body is longer than the length that it promised"),
             CloseReason::cancelled);
        return true;
      }
      source_left_ -= bytes.size();
      out_.append(bytes);
      return true;
    }
    case BodySource::Pull::end:
      source_done_ = true;
      if (!chunked_ && source_left_ > 0) {
        fail(failure(ErrorCode::body_source_failed, "the request body is shorter than the length that it promised"),
             CloseReason::cancelled);
        return true;
      }
      if (chunked_) {
        const std::optional<Headers> trailers = trailers_of(*request.source());
        const auto ended = trailers ? http1::encode_last_chunk(*trailers, out_) : trailers_threw();
        if (!ended) fail(failure(ErrorCode::body_source_failed, ended.error().message), CloseReason::cancelled);
      }
      return true;
  }
  return false;
}

void Connection::sent() {
  all_sent_ = true;
  if (call_->traced()) call_->trace(TraceEvent::sent, {});
  if (!decoder_->head_seen()) {
    set_deadline(call_->limits().first_byte, ErrorCode::timeout_first_byte);
  } else if (reading_wanted()) {
    set_deadline(call_->limits().idle_read, ErrorCode::timeout_idle_read);
  } else {
    set_deadline(Duration::zero(), ErrorCode::timeout_total);  // the caller's pace
  }
}

void Connection::resume_writing() {
  const std::shared_ptr<Call> call = call_->shared_from_this();
  awaiting_source_ = false;
  if (send_failed_ || all_sent_) return;
  write_some();
  if (call->carried_by(this) && send_failed_ && !in_caller_mode()) on_events(net::readable);
}

std::uint64_t Connection::bytes_sent_in_exchange() const { return dialled_.stream->bytes_sent() - sent_before_; }

}  // namespace trunkline
