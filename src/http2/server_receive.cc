// The half of ServerSession that listens.
#include <algorithm>
#include <cassert>
#include <utility>

#include "http2/callbacks.h"
#include "http2/response_fields.h"
#include "http2/server_callbacks.h"
#include "http2/server_session.h"

namespace trunkline::http2 {

namespace {

constexpr int most_continuations = 8;       // of one header block; nghttp2 may have a limit of its own
constexpr std::size_t field_overhead = 32;  // RFC 9113 section 6.5.2
constexpr std::int64_t request_gain = 4;
constexpr std::uint64_t unknown_length = UINT64_MAX;
constexpr std::size_t most_queued_frames = 1000;  // besides some for each stream

// Every frame costs one but DATA of some size, which costs the peer more than us. If it turns out to be progress it
// earns more than it cost: then one can tell a flood from a lively connection, which needs to be seen from behind.
std::int64_t cost_of(const FrameHead& frame) {
  constexpr std::uint32_t most_padding = 256;  // and its length
  return frame.type == FrameType::data && frame.length > most_padding ? 0 : 1;
}

}  // namespace

bool ServerSession::receive(std::string_view bytes, TimePoint now) {
  if (failed_) return false;
  if (is_deaf()) return true;
  now_ = std::max(now_, now);
  bucket_.refill(now_);
  resets_.refill(now_);
  if (preface_left_ > 0) {
    const std::size_t part = std::min(preface_left_, bytes.size());
    feed(bytes.substr(0, part));
    bytes.remove_prefix(part);
    preface_left_ -= part;
  }
  std::string_view unfed = bytes;  // nghttp2 has not seen it
  std::string_view rest = bytes;   // the scanner has not
  while (!failed_) {
    const std::size_t kept = scanner_.kept();
    if (!scanner_.next(rest)) break;
    const std::size_t before = unfed.size() - rest.size() - (frame_head_size - kept);
    if (ends_) {
      feed(unfed.substr(0, before));
      unfed.remove_prefix(before);
      if (failed_) return false;
      if (is_deaf()) return true;
    }
    ends_ = ends_ || scanner_.frame().type == FrameType::goaway;
    const std::int64_t cost = cost_of(scanner_.frame());
    bool paid = bucket_.take(cost);
    const std::string_view wrong = problem(scanner_.frame());
    if (!paid || !wrong.empty()) {
      feed(unfed.substr(0, before));  // it may have earned something
      unfed.remove_prefix(before);
      paid = paid || bucket_.take(cost);
      if (!wrong.empty()) {
        fail(Code::enhance_your_calm, std::string(wrong));
      } else if (!paid) {
        fail(Code::enhance_your_calm, "the client floods the connection with frames that carry nothing");
      }
      if (failed_) return false;
    }
    if (kept > 0) {
      feed(scanner_.head_bytes());
      unfed = rest;
    }
  }
  // An incomplete frame head waits in the scanner: nghttp2 counts the pieces of some as frames.
  unfed.remove_suffix(std::min(scanner_.kept(), unfed.size()));
  feed(unfed);
  return !failed_;
}

// Behind either side's GOAWAY and the end of the last stream the session is over, and what comes is ignored. nghttp2
// asks so only when it is given bytes, so it is given no more than a frame at a time once a GOAWAY is under way.
bool ServerSession::is_deaf() const { return ends_ && nghttp2_session_want_read(session_) == 0; }

// Of a frame that nghttp2 would let pass.
std::string_view ServerSession::problem(const FrameHead& frame) {
  if (frame.type == FrameType::headers) {
    continuations_ = 0;
    block_bytes_ = frame.length;
  } else if (frame.type == FrameType::continuation) {
    block_bytes_ += frame.length;
    // Encoded, they are hardly ever longer than decoded, but a peer that knows our limit may still try.
    if (++continuations_ > most_continuations || block_bytes_ > 4 * limits_.header_bytes) {
      return "the client's header fields do not end";
    }
  }
  return {};
}

void ServerSession::feed(std::string_view bytes) {
  if (bytes.empty() || failed_) return;
  receiving_ = true;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  pay();
  if (failed_) return;
  if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
    fail(Code::protocol_error, "the client does not begin with the preface of HTTP/2");
  } else if (taken == NGHTTP2_ERR_FLOODED ||
             nghttp2_session_get_outbound_queue_size(session_) > most_queued_frames + 4 * limits_.streams) {
    fail(Code::enhance_your_calm, "the client does not read what it asks for");
  } else if (taken < 0) {
    fail(Code::internal_error, nghttp2_strerror(static_cast<int>(taken)));
  }
}

// --- fields

void ServerSession::begin_block(std::int32_t id, bool is_request) {
  block_id_ = id;
  block_is_request_ = is_request;
  block_fields_ = block_field_bytes_ = 0;
  block_state_ = BlockState::sound;
  block_.begin(!is_request);
  if (is_request) return;
  const ServerStream* const stream = find(id);
  if (stream == nullptr || stream->reset_by_us_ || stream->malformed_) {
    block_state_ = BlockState::ignored;
  } else {
    block_fields_ = stream->field_count_;
    block_field_bytes_ = stream->field_bytes_;
  }
}

// What is not sound is still decoded to its end, for the sake of HPACK's table, and then answered once.
void ServerSession::add_field(std::string_view name, std::string_view value) {
  if (block_state_ != BlockState::sound) return;
  block_field_bytes_ += name.size() + value.size() + field_overhead;
  if (block_field_bytes_ > limits_.header_bytes || ++block_fields_ > limits_.header_count) {
    block_state_ = BlockState::too_large;
  } else if (!block_.add(name, value)) {
    block_state_ = BlockState::malformed;
  }
}

void ServerSession::on_block_complete(std::int32_t id, bool end) {
  const BlockState state = std::exchange(block_state_, BlockState::ignored);
  switch (state) {
    case BlockState::ignored:
      break;
    case BlockState::malformed:
      refuse_malformed(id);
      break;
    case BlockState::too_large:
      answer_too_large(id);
      break;
    case BlockState::sound:
      if (block_is_request_) {
        on_request_complete(id, end);
      } else if (ServerStream* stream = find(id)) {
        on_trailers_complete(*stream, end);
      }
      break;
  }
  block_.end();
}

void ServerSession::on_request_complete(std::int32_t id, bool end) {
  if (!block_.is_request()) return refuse_malformed(id);
  ReceivedRequest request = block_.take_request();
  // A client that says how much will come, and then sends nothing, may mean something else to a proxy before us.
  if (end && request.content_length.value_or(0) != 0) return refuse_malformed(id);
  if (refusing_) return refuse(id, Code::refused_stream);
  const std::uint64_t length = request.content_length.value_or(unknown_length);
  const bool is_head = request.method == "HEAD";
  ServerStream* const stream = observer_.on_request(std::move(request), end);
  if (stream == nullptr) return refuse(id, Code::refused_stream);
  assert(!stream->open_);
  bucket_.earn(request_gain);
  stream->id_ = id;
  stream->open_ = true;
  stream->to_head_ = is_head;
  stream->body_left_ = length;
  stream->window_ = std::min(limits_.stream_window, limits_.first_window);
  stream->field_bytes_ = block_field_bytes_;
  stream->field_count_ = block_fields_;
  stream->next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = stream;
  streams_ = stream;
  ++open_;
  nghttp2_session_set_stream_user_data(session_, id, stream);
  // In turn, a frame each: one large download would otherwise keep all others waiting (RFC 9218 section 4.2).
  const nghttp2_extpri in_turn{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
  nghttp2_session_change_extpri_stream_priority(session_, id, &in_turn, 1);
  if (end) end_request(*stream);
}

void ServerSession::on_trailers_complete(ServerStream& stream, bool end) {
  if (!end || !is_whole(stream)) return refuse_malformed(stream.id_);
  bucket_.earn(request_gain);
  stream.on_trailers(block_.take_trailers());
  end_request(stream);
}

// --- bodies

bool ServerSession::is_whole(const ServerStream& stream) {
  return stream.body_left_ == 0 || stream.body_left_ == unknown_length;
}

// False: the request has a shorter body.
bool ServerSession::take_of_body(ServerStream& stream, std::size_t size) {
  if (size > stream.body_left_) {
    refuse_malformed(stream.id_);
    return false;
  }
  if (stream.body_left_ != unknown_length) stream.body_left_ -= size;
  return true;
}

void ServerSession::end_request(ServerStream& stream) {
  if (stream.reset_by_us_ || stream.malformed_ || stream.ended_) return;
  if (stream.body_left_ != unknown_length && stream.body_left_ != 0) return refuse_malformed(stream.id_);
  bucket_.earn(1);  // the frame that said so
  stream.ended_ = true;
  stream.on_end();
}

// --- refusals

void ServerSession::refuse(std::int32_t id, Code code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(code));
}

void ServerSession::refuse_malformed(std::int32_t id) {
  if (ServerStream* stream = find(id)) stream->malformed_ = true;
  refuse(id, Code::protocol_error);
  count_reset();
}

// A request that is only too large is told so; trailers that are come too late for that.
void ServerSession::answer_too_large(std::int32_t id) {
  if (ServerStream* stream = find(id)) {
    stream->malformed_ = true;
    refuse(id, Code::enhance_your_calm);
  } else {
    const auto fields = response_fields({.status = 431});
    nghttp2_submit_response(session_, id, fields.data(), fields.size(), nullptr);
  }
  count_reset();
}

void ServerSession::count_reset() {
  if (!failed_ && !resets_.take(1)) {
    fail(Code::enhance_your_calm, "the client ends streams too often before they are answered");
  }
}

}  // namespace trunkline::http2
