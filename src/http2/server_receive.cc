// The half of ServerSession that listens.
#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "http2/response_fields.h"
#include "http2/server_callbacks.h"
#include "http2/server_session.h"

namespace trunkline::http2 {

namespace {

constexpr std::size_t most_queued_frames = 1000;  // besides some for each stream

}  // namespace

bool ServerSession::receive(std::string_view bytes, TimePoint now) {
  if (failed_) return false;
  now_ = std::max(now_, now);
  resets_.refill(now_);
  if (preface_left_ > 0) {
    const std::size_t part = std::min(preface_left_, bytes.size());
    feed(bytes.substr(0, part));
    bytes.remove_prefix(part);
    preface_left_ -= part;
  }
  if (!failed_) intake_.take(*this, bytes, now_);
  return !failed_;
}

void ServerSession::feed(std::string_view bytes) {
  if (bytes.empty() || failed_) return;
  flow_.hold();
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  flow_.release();
  if (failed_) return;
  if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
    blame(Code::protocol_error, " does not begin with the preface of HTTP/2");
  } else if (taken == NGHTTP2_ERR_FLOODED ||
             nghttp2_session_get_outbound_queue_size(session_) > most_queued_frames + 4 * limits_.streams) {
    blame(Code::enhance_your_calm, " does not read what it asks for");
  } else if (taken < 0) {
    fail(Code::internal_error, nghttp2_strerror(static_cast<int>(taken)));
  }
}

// --- fields

void ServerSession::begin_block(std::int32_t id, bool is_request) {
  block_id_ = id;
  block_is_request_ = is_request;
  block_fields_ = {};
  block_state_ = BlockState::sound;
  block_.begin(!is_request);
  if (is_request) return;
  const ServerStream* const stream = find(id);
  if (stream == nullptr || stream->reset_by_us_ || stream->malformed_) {
    block_state_ = BlockState::ignored;
  } else {
    block_fields_ = stream->fields_;
  }
}

// What is not sound is still decoded to its end, for the sake of HPACK's table, and then answered once.
void ServerSession::add_field(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  if (block_state_ != BlockState::sound) return;
  const HeldField* const known = block_.known(name, value);
  const std::size_t size = known != nullptr ? known->size() : view(name).size() + view(value).size();
  if (!block_fields_.add(size, limits_.header_bytes, limits_.header_count)) {
    block_state_ = BlockState::too_large;
  } else if (!(known != nullptr ? block_.add_known(*known) : block_.add(name, value))) {
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
  const std::optional<std::uint64_t> length = request.content_length;
  const bool is_head = request.method == "HEAD";
  ServerStream* const stream = observer_.on_request(std::move(request), end);
  if (stream == nullptr) return refuse(id, Code::refused_stream);
  assert(!stream->open_);
  intake_.earn_message();
  stream->id_ = id;
  stream->to_head_ = is_head;
  stream->body_left_.announce(length);
  stream->window_ = flow_.new_window();
  stream->fields_ = block_fields_;
  streams_.add(*stream);
  nghttp2_session_set_stream_user_data(session_, id, stream);
  if (end) end_request(*stream);
}

void ServerSession::on_trailers_complete(ServerStream& stream, bool end) {
  if (!end || !stream.body_left_.is_whole()) return refuse_malformed(stream.id_);
  intake_.earn_message();
  stream.on_trailers(block_.take_trailers());
  end_request(stream);
}

// --- bodies

// False: the request has a shorter body.
bool ServerSession::take_of_body(ServerStream& stream, std::size_t size) {
  if (stream.body_left_.take(size)) return true;
  refuse_malformed(stream.id_);
  return false;
}

void ServerSession::end_request(ServerStream& stream) {
  if (stream.reset_by_us_ || stream.malformed_ || stream.ended_) return;
  if (!stream.body_left_.is_whole()) return refuse_malformed(stream.id_);
  intake_.earn_end();  // the frame that said so
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
    blame(Code::enhance_your_calm, " ends streams too often before they are answered");
  }
}

}  // namespace trunkline::http2
