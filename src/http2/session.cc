#include "http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>

#include "base/per_thread.h"
#include "base/text.h"
#include "http2/memory.h"

namespace trunkline::http2 {

namespace {

constexpr std::uint32_t first_stream_window = 256 * 1024;  // grown while the reader keeps up
constexpr int most_continuations = 32;                     // of one header block
constexpr std::size_t field_overhead = 32;                 // RFC 9113 section 6.5.2
constexpr std::size_t shown_debug_bytes = 200;
constexpr auto ping_interval = std::chrono::seconds(1);  // without progress in between

// What a frame without progress costs. A burst of them is normal, a stream of them is not.
constexpr std::int64_t idle_frame_cost = 1;
// What one frame with progress earns: an upload is answered with window updates, a response may come with a PING.
constexpr std::int64_t progress_gain = 4;

bool is_sensitive(std::string_view name, std::string_view value) {
  return equals_ignore_case(name, "authorization") || equals_ignore_case(name, "proxy-authorization") ||
         (equals_ignore_case(name, "cookie") && value.size() < 20);  // short ones can be guessed through HPACK
}

nghttp2_nv field(std::string_view name, std::string_view value, std::uint8_t flags) {
  // nghttp2 does not write to what it is given.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), flags};
}

constexpr std::string_view content_length_name = "content-length";

// nghttp2 has seen that these are digits.
std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::string_view to_string(Code code) {
  constexpr std::array<std::string_view, 14> names{"NO_ERROR",
                                                   "PROTOCOL_ERROR",
                                                   "INTERNAL_ERROR",
                                                   "FLOW_CONTROL_ERROR",
                                                   "SETTINGS_TIMEOUT",
                                                   "STREAM_CLOSED",
                                                   "FRAME_SIZE_ERROR",
                                                   "REFUSED_STREAM",
                                                   "CANCEL",
                                                   "COMPRESSION_ERROR",
                                                   "CONNECT_ERROR",
                                                   "ENHANCE_YOUR_CALM",
                                                   "INADEQUATE_SECURITY",
                                                   "HTTP_1_1_REQUIRED"};
  const auto number = static_cast<std::size_t>(code);
  return number < names.size() ? names[number] : "unknown";
}

struct Session::Callbacks {
  static Session& session_of(void* user) { return *static_cast<Session*>(user); }
  static Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  // Of every frame, before anything of it is looked at.
  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    Session& self = session_of(user);
    if (self.failed_) return 0;
    switch (head->type) {
      case NGHTTP2_HEADERS:
        self.block_bytes_ = head->length;
        self.continuations_ = 0;
        break;
      case NGHTTP2_CONTINUATION:
        self.block_bytes_ += head->length;
        if (++self.continuations_ > most_continuations || self.block_bytes_ > 4 * self.limits_.header_bytes) {
          self.fail(Code::enhance_your_calm, "the server's header fields do not end");
        }
        self.spend(idle_frame_cost);
        break;
      case NGHTTP2_DATA:
        if (head->length > 0) {
          self.bucket_.earn(progress_gain);
          self.progress_since_ping_ = true;
        } else if ((head->flags & NGHTTP2_FLAG_END_STREAM) == 0) {
          self.spend(idle_frame_cost);
        }
        break;
      default:
        self.spend(idle_frame_cost);
        break;
    }
    return 0;
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame*, void* user) {
    session_of(user).begin_fields();
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                       void* user) {
    Session& self = session_of(user);
    if (self.failed_) return 0;
    if (self.add_field(view(name, name_size), view(value, value_size))) return 0;
    if (Stream* stream = stream_of(session, frame->hd.stream_id)) stream->malformed_ = true;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_invalid_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                               const std::uint8_t*, std::size_t, std::uint8_t, void*) {
    if (Stream* stream = stream_of(session, frame->hd.stream_id)) stream->malformed_ = true;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Session& self = session_of(user);
    if (self.failed_) return 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (Stream* stream = stream_of(session, frame->hd.stream_id)) {
          self.on_fields_complete(*stream, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
        }
        break;
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
          if (Stream* stream = stream_of(session, frame->hd.stream_id)) self.end_response(*stream);
        }
        break;
      case NGHTTP2_RST_STREAM:
        if (Stream* stream = stream_of(session, frame->hd.stream_id)) stream->reset_by_peer_ = true;
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) on_settings(self, session, *frame);
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && self.pings_out_ > 0) {
          self.pings_out_ = 0;  // one answer is enough to know that it lives
          if (std::exchange(self.reset_ping_out_, false)) self.free_slots(self.now_);
        }
        break;
      case NGHTTP2_GOAWAY: {
        self.goaway_seen_ = true;
        self.goaway_last_ = frame->goaway.last_stream_id;
        const std::size_t shown = std::min(frame->goaway.opaque_data_len, shown_debug_bytes);
        self.observer_.on_goaway(static_cast<Code>(frame->goaway.error_code), view(frame->goaway.opaque_data, shown));
        break;
      }
      default:
        break;
    }
    return 0;
  }

  static void on_settings(Session& self, nghttp2_session* session, const nghttp2_frame& frame) {
    for (std::size_t i = 0; i < frame.settings.niv; ++i) {
      // nghttp2 lets it pass, as it has no meaning; from a server it is forbidden (RFC 9113 section 6.5.2).
      if (frame.settings.iv[i].settings_id == NGHTTP2_SETTINGS_ENABLE_PUSH && frame.settings.iv[i].value != 0) {
        self.fail(Code::protocol_error, "the server announces that it accepts pushes, which only clients may");
        return;
      }
    }
    const std::uint32_t told = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    const std::uint32_t limit = std::min(told, self.limits_.most_streams);
    if (self.settings_seen_ && limit == self.peer_limit_) return;
    self.settings_seen_ = true;
    self.peer_limit_ = limit;
    self.observer_.on_stream_limit(limit);
    if (static_cast<std::uint32_t>(self.open_) > limit) self.pull_back_unsent();
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                     std::size_t size, void* user) {
    Session& self = session_of(user);
    Stream* const stream = self.failed_ ? nullptr : stream_of(session, id);
    if (stream == nullptr || stream->reset_by_us_ || stream->ended_) {
      nghttp2_session_consume_connection(session, size);  // nobody will
      return 0;
    }
    stream->unconsumed_ += size;
    stream->on_data(view(bytes, size));
    return 0;
  }

  static int on_stream_closed(nghttp2_session* session, std::int32_t id, std::uint32_t code, void* user) {
    Session& self = session_of(user);
    Stream* const stream = stream_of(session, id);
    if (stream == nullptr) return 0;
    nghttp2_session_set_stream_user_data(session, id, nullptr);
    StreamEnd end;
    end.code = static_cast<Code>(code);
    if (stream->ended_ && !stream->malformed_ && (end.code == Code::no_error || stream->reset_by_us_)) {
      end.by = StreamEnd::complete;
    } else if (stream->malformed_) {
      end.by = StreamEnd::malformed;
    } else if (stream->reset_by_us_) {
      end.by = StreamEnd::us;
    } else if (end.code == Code::refused_stream) {
      end.by = StreamEnd::unprocessed;  // by GOAWAY, by RST_STREAM, or never sent
    } else if (stream->reset_by_peer_) {
      end.by = StreamEnd::peer;
    } else if (self.failed_ || self.goaway_seen_) {
      end.by = StreamEnd::connection_lost;
    } else {
      end.by = StreamEnd::malformed;  // nghttp2 has refused what came
    }
    self.forget(*stream);
    if (end.by != StreamEnd::complete && stream->unconsumed_ > 0) {
      nghttp2_session_consume_connection(session, std::exchange(stream->unconsumed_, 0));
    }
    stream->on_closed(end);
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) {
      session_of(user).progress_since_ping_ = true;  // servers that count PINGs count those without requests
      if (Stream* stream = stream_of(session, frame->hd.stream_id)) stream->sent_ = true;
    } else if (frame->hd.type == NGHTTP2_DATA) {
      session_of(user).bucket_.earn(progress_gain);
    }
    return 0;
  }

  static int on_invalid_frame(nghttp2_session* session, const nghttp2_frame* frame, int error, void* user) {
    Session& self = session_of(user);
    if (Stream* stream = stream_of(session, frame->hd.stream_id)) stream->malformed_ = true;
    if (self.failure_.message.empty()) self.failure_.message = nghttp2_strerror(error);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* out, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Stream*>(source->ptr);
    const Stream::Body body = stream.read_body({reinterpret_cast<char*>(out), size});
    switch (body.kind) {
      case Stream::Body::later:
        return NGHTTP2_ERR_DEFERRED;
      case Stream::Body::failed:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      case Stream::Body::bytes:
        break;
    }
    if (body.end) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (body.trailers != nullptr && !body.trailers->empty()) {
        std::vector<nghttp2_nv> fields;
        for (const Headers::Field each : *body.trailers) fields.push_back(field(each.name, each.value, 0));
        if (nghttp2_submit_trailer(session, id, fields.data(), fields.size()) == 0) {
          *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        }
      }
    }
    return static_cast<ssize_t>(body.size);
  }

  static const nghttp2_session_callbacks* all() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
      nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
      return callbacks;
    }();
    return made;
  }

  static const nghttp2_option* options() {
    static const nghttp2_option* const made = [] {
      nghttp2_option* option = nullptr;
      if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
      nghttp2_option_set_no_auto_window_update(option, 1);
      nghttp2_option_set_no_closed_streams(option, 1);
      // The pool minds the limit; until SETTINGS come it asks for one stream, or as many as the peer once permitted.
      nghttp2_option_set_peer_max_concurrent_streams(option, 1U << 30);
      nghttp2_option_set_max_send_header_block_length(option, 1U << 20);
      nghttp2_option_set_max_outbound_ack(option, 10'000);  // the bucket is empty long before
      return option;
    }();
    return made;
  }
};

Session::Session(const Limits& limits, Observer& observer)
    : limits_(limits), observer_(observer), bucket_(limits.idle_frames, limits.idle_frames_per_second) {
  if (nghttp2_session_client_new3(&session_, Callbacks::all(), this, Callbacks::options(), recycled_memory()) != 0) {
    throw std::bad_alloc();
  }
  const std::uint32_t window = std::min(limits_.stream_window, first_stream_window);
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<std::uint32_t>(std::min<std::size_t>(limits_.header_bytes, 0xFFFFFFFF))}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  // Whole from the start: streams that nobody reads would otherwise stop the others, who alone could make it grow.
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(limits_.connection_window));
}

Session::~Session() { nghttp2_session_del(session_); }

// --- receiving

bool Session::receive(std::string_view bytes, TimePoint now) {
  if (failed_) return false;
  now_ = now;
  bucket_.refill(now);
  if (std::exchange(first_bytes_, false) && bytes.starts_with("HTTP/")) {
    http1_ = true;
    terminated_ = true;  // it would not understand a GOAWAY
    fail(Code::http_1_1_required, "the server answers in HTTP/1: it does not speak HTTP/2 here");
    return false;
  }
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    const bool flooded = taken == NGHTTP2_ERR_FLOODED;
    fail(flooded ? Code::enhance_your_calm : Code::internal_error, nghttp2_strerror(static_cast<int>(taken)));
    terminated_ = true;  // nghttp2 has given up: nothing more can be said
    return false;
  }
  note_end();
  if (failed_ && !std::exchange(terminated_, true)) {
    nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(failure_code_));
  }
  return !failed_;
}

// nghttp2 has answered what the peer did with a GOAWAY of its own. Known when that has been written.
void Session::note_end() {
  if (failed_ || nghttp2_session_want_read(session_) != 0) return;
  if (goaway_seen_ && open_ == 0) return;  // the peer's own GOAWAY has come to its end
  const std::string what = std::move(failure_.message);
  terminated_ = true;
  fail(Code::protocol_error, what.empty() ? "the server broke HTTP/2" : "the server broke HTTP/2: " + what);
}

void Session::fail(Code code, std::string message) {
  if (std::exchange(failed_, true)) return;
  failure_code_ = code;
  failure_ = Error(http1_ ? ErrorCode::unsupported : ErrorCode::invalid_response, Phase::body, std::move(message));
}

bool Session::spend(std::int64_t tokens) {
  if (bucket_.take(tokens)) return true;
  fail(Code::enhance_your_calm, "the server floods the connection with frames that carry nothing");
  return false;
}

void Session::begin_fields() {
  text_size_ = 0;
  content_length_.reset();
  slots_.clear();
  field_bytes_ = 0;
  status_ = 0;
}

bool Session::add_field(std::string_view name, std::string_view value) {
  field_bytes_ += name.size() + value.size() + field_overhead;
  if (field_bytes_ > limits_.header_bytes || slots_.size() >= limits_.header_count) {
    // Beyond all reason it is an attack on our CPU: each byte on the wire may stand for thousands.
    if (field_bytes_ > 16 * limits_.header_bytes)
      fail(Code::enhance_your_calm, "the server's header fields do not end");
    return false;
  }
  if (name.starts_with(':')) {  // nghttp2 lets :status pass only, once, first and of three digits
    if (name == ":status" && value.size() == 3) {
      status_ = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    }
    return true;
  }
  if (name.size() == content_length_name.size() && name == content_length_name) content_length_ = decimal(value);
  const auto start = static_cast<std::uint32_t>(text_size_);
  const auto name_size = static_cast<std::uint32_t>(name.size());
  if (text_.size() - text_size_ < name.size() + value.size())
    text_.resize(2 * (text_size_ + name.size() + value.size()));
  std::memcpy(text_.data() + start, name.data(), name.size());
  std::memcpy(text_.data() + start + name_size, value.data(), value.size());
  text_size_ += name.size() + value.size();
  slots_.push_back({start, name_size, start + name_size, static_cast<std::uint32_t>(value.size())});
  return true;
}

Headers Session::take_fields() { return Headers::adopt({text_.data(), text_size_}, slots_); }

void Session::on_fields_complete(Stream& stream, bool end) {
  bucket_.earn(progress_gain);
  progress_since_ping_ = true;
  if (stream.reset_by_us_ || stream.malformed_) return;
  if (status_ >= 100 && status_ < 200) {
    if (status_ == 101 || ++stream.informational_ > limits_.informational) {
      stream.malformed_ = true;
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_PROTOCOL_ERROR);
      return;
    }
    stream.on_informational(status_);
    return;
  }
  if (!stream.responded_) {
    stream.responded_ = true;
    stream.on_response(status_, take_fields(), content_length_, end);
  } else {
    stream.on_trailers(take_fields());
  }
  if (end) end_response(stream);
}

void Session::end_response(Stream& stream) {
  if (stream.reset_by_us_ || stream.malformed_ || stream.ended_) return;
  stream.ended_ = true;
  stream.on_end();
}

void Session::forget(Stream& stream) {
  (stream.previous_ != nullptr ? stream.previous_->next_ : streams_) = stream.next_;
  if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
  stream.previous_ = stream.next_ = nullptr;
  --open_;
}

// --- sending

bool Session::wants_write() const {
  return !unsent_.empty() || reset_ping_wanted_ || dropped_ != nullptr || nghttp2_session_want_write(session_) != 0;
}

// Those that were reset before they were sent.
void Session::close_dropped() {
  while (dropped_ != nullptr) {
    Stream& stream = *std::exchange(dropped_, dropped_->next_);
    stream.next_ = nullptr;
    stream.on_closed({StreamEnd::us, Code::cancel});
  }
}

std::size_t Session::produce(std::span<char> buffer) {
  close_dropped();
  std::size_t size = 0;
  while (size < buffer.size()) {
    if (unsent_.empty()) {
      const std::uint8_t* bytes = nullptr;
      const ssize_t made = nghttp2_session_mem_send(session_, &bytes);
      if (made < 0) {
        fail(Code::internal_error, nghttp2_strerror(static_cast<int>(made)));
        terminated_ = true;
        break;
      }
      if (made == 0) {
        if (!std::exchange(reset_ping_wanted_, false)) break;
        reset_ping_out_ = true;
        slots_before_ping_ = kept_slots_;
        ping(now_);
        continue;
      }
      unsent_ = view(bytes, static_cast<std::size_t>(made));
    }
    const std::size_t part = std::min(unsent_.size(), buffer.size() - size);
    std::memcpy(buffer.data() + size, unsent_.data(), part);
    unsent_.remove_prefix(part);
    size += part;
  }
  if (size == 0) note_end();
  return size;
}

bool Session::submit(Stream& stream, const RequestHead& head, bool has_body) {
  if (failed_ || goaway_seen_) return false;
  constexpr std::uint8_t kept_name = NGHTTP2_NV_FLAG_NO_COPY_NAME;  // a literal of ours, in small letters
  struct Fields;
  auto& fields = per_thread<std::vector<nghttp2_nv>, Fields>();
  constexpr std::size_t most_of_ours = 8;
  if (fields.size() < head.headers->size() + most_of_ours) fields.resize(head.headers->size() + most_of_ours);
  nghttp2_nv* at = fields.data();
  std::string_view authority = head.authority;
  bool has_user_agent = false;
  bool has_expect = false;
  bool has_length = false;
  *at++ = field(":method", head.method, kept_name);
  *at++ = field(":scheme", head.scheme, kept_name);
  ++at;  // :authority, when all is known
  *at++ = field(":path", head.path, kept_name);
  for (const Headers::Field each : *head.headers) {
    if (equals_ignore_case(each.name, "host")) {
      authority = each.value;
      continue;
    }
    if (equals_ignore_case(each.name, "connection") || equals_ignore_case(each.name, "keep-alive")) continue;
    has_user_agent = has_user_agent || equals_ignore_case(each.name, "user-agent");
    has_expect = has_expect || equals_ignore_case(each.name, "expect");
    has_length = has_length || equals_ignore_case(each.name, "content-length");
    const bool sensitive = is_sensitive(each.name, each.value);
    *at++ = field(each.name, each.value, sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
  }
  fields[2] = field(":authority", authority, kept_name);
  if (!has_user_agent && !head.user_agent.empty()) {
    *at++ = field("user-agent", head.user_agent, kept_name);
  }
  if (head.expect_continue && !has_expect) *at++ = field("expect", "100-continue", kept_name);
  std::array<char, 24> digits;
  if (head.content_length && !has_length) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *head.content_length).ptr;
    *at++ = field("content-length", {digits.data(), end}, kept_name);
  }

  nghttp2_data_provider body{};
  body.source.ptr = &stream;
  body.read_callback = Callbacks::read_body;
  const std::int32_t id =
      nghttp2_submit_request(session_, nullptr, fields.data(), static_cast<std::size_t>(at - fields.data()),
                             has_body ? &body : nullptr, &stream);
  if (id < 0) return false;
  stream.id_ = id;
  stream.informational_ = 0;
  stream.sent_ = stream.responded_ = stream.ended_ = false;
  stream.reset_by_us_ = stream.reset_by_peer_ = stream.malformed_ = false;
  stream.window_ = std::min(limits_.stream_window, first_stream_window);
  stream.unconsumed_ = stream.since_growth_ = 0;
  stream.previous_ = nullptr;
  stream.next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = &stream;
  streams_ = &stream;
  ++open_;
  return true;
}

void Session::resume(Stream& stream) { nghttp2_session_resume_data(session_, stream.id_); }

void Session::consumed(Stream& stream, std::size_t bytes) {
  bytes = std::min(bytes, stream.unconsumed_);  // what was credited when the stream was reset is not credited again
  if (bytes == 0) return;
  stream.unconsumed_ -= bytes;
  nghttp2_session_consume(session_, stream.id_, bytes);
  if (stream.unconsumed_ == 0) grow(stream, bytes);
}

// A reader who keeps up gets a larger window, up to its limit; one who does not costs no more memory than before.
void Session::grow(Stream& stream, std::size_t bytes) {
  if (stream.window_ >= limits_.stream_window || stream.ended_) return;
  stream.since_growth_ += bytes;
  if (stream.since_growth_ < stream.window_ / 2) return;
  stream.since_growth_ = 0;
  stream.window_ = std::min(limits_.stream_window, 2 * stream.window_);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.id_,
                                        static_cast<std::int32_t>(stream.window_));
}

// --- ending streams

bool Session::reset(Stream& stream, Code code) {
  if (std::exchange(stream.reset_by_us_, true)) return false;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
  if (stream.unconsumed_ > 0) nghttp2_session_consume_connection(session_, std::exchange(stream.unconsumed_, 0));
  if (!stream.sent_) {
    // nghttp2 would keep it for as long as the peer permits no stream.
    nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
    forget(stream);
    stream.next_ = std::exchange(dropped_, &stream);
    return false;
  }
  ++kept_slots_;
  ping_for_resets(now_);
  return true;
}

// The peer permits fewer streams than it did: what has not been sent would wait here, where no time limit of the queue
// and no other connection can help it.
void Session::pull_back_unsent() {
  for (Stream* stream = streams_; stream != nullptr;) {
    Stream& each = *stream;
    stream = stream->next_;
    if (each.sent_ || each.reset_by_us_) continue;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, each.id_, NGHTTP2_REFUSED_STREAM);
    nghttp2_session_set_stream_user_data(session_, each.id_, nullptr);
    forget(each);
    each.on_closed({StreamEnd::unsent, Code::no_error});
    stream = streams_;  // whoever was told may have changed the list
  }
}

void Session::lost() {
  fail(Code::no_error, "the connection is gone");
  close_dropped();
  while (streams_ != nullptr) {
    Stream& stream = *streams_;
    nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
    forget(stream);
    stream.unconsumed_ = 0;
    stream.on_closed({StreamEnd::connection_lost, failure_code_});
  }
  if (const int kept = std::exchange(kept_slots_, 0); kept > 0) observer_.on_slots_freed(kept);
}

void Session::say_goodbye() { nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR); }

// --- PING

void Session::ping(TimePoint now) {
  now_ = now;
  last_ping_ = now;
  progress_since_ping_ = false;
  ++pings_out_;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

// A server counts streams that are opened and reset at once as an attack, and is right. So resets are followed by a
// PING, one for all that came before; until its answer, their streams still count. It is made when they have been
// written: nghttp2 would let it overtake them.
void Session::ping_for_resets(TimePoint now) {
  if (reset_ping_out_ || kept_slots_ == 0) return;
  if (!progress_since_ping_ && now < last_ping_ + ping_interval) return;
  reset_ping_wanted_ = true;
}

TimePoint Session::ping_due() const {
  return kept_slots_ > 0 && !reset_ping_out_ && !reset_ping_wanted_ ? last_ping_ + ping_interval : never;
}

void Session::on_ping_due(TimePoint now) {
  now_ = now;
  if (now >= ping_due()) {
    progress_since_ping_ = true;
    ping_for_resets(now);
  }
}

void Session::free_slots(TimePoint now) {
  const int freed = std::exchange(slots_before_ping_, 0);
  kept_slots_ -= freed;
  if (freed > 0) observer_.on_slots_freed(freed);
  ping_for_resets(now);
}

}  // namespace trunkline::http2
