#include "http1/response_decoder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "base/characters.h"
#include "base/text.h"
#include "http1/field_line.h"

namespace trunkline::http1 {
namespace {

constexpr std::string_view version_prefix = "HTTP/1.";
constexpr std::size_t largest_block = 1U << 30;  // offsets of fields have 32 bits
constexpr int longest_keep_alive_hint = 24 * 3600;

// Seconds of "timeout=5, max=100", or -1.
int keep_alive_hint(std::string_view value) {
  constexpr std::string_view key = "timeout=";
  std::string_view element;
  while (next_element(value, element)) {
    std::uint64_t seconds = 0;
    if (element.size() <= key.size() || !equals_ignore_case(element.substr(0, key.size()), key)) continue;
    if (!parse_decimal(element.substr(key.size()), seconds)) continue;
    return static_cast<int>(std::min<std::uint64_t>(seconds, longest_keep_alive_hint));
  }
  return -1;
}

// Most names differ in length from those that note_field knows.
bool may_frame(std::string_view name) {
  constexpr unsigned lengths = 1U << 7 | 1U << 10 | 1U << 14 | 1U << 17;
  return name.size() < 32 && (lengths >> name.size() & 1) != 0;
}

std::string_view status_line_problem(const char* line, const char* end) {
  const std::string_view rest(line + version_prefix.size(), end);
  if (!rest.starts_with("0 ") && !rest.starts_with("1 ")) return "its version is neither HTTP/1.1 nor HTTP/1.0";
  return "its status line is not \"HTTP/1.x\", three digits, a reason and CR LF, without control characters";
}

}  // namespace

void ResponseDecoder::set_limits(const DecoderLimits& limits) {
  limits_ = limits;
  limits_.head_bytes = std::min(limits_.head_bytes, largest_block);
}

void ResponseDecoder::begin(const RequestFraming& request) {
  request_ = request;
  head_.status = 0;
  head_.minor_version = 1;
  head_.reason.clear();
  head_.headers.clear();
  trailers_.clear();
  data_ = {};
  error_.reset();
  block_.begin();
  framing_ = {};
  head_bytes_used_ = 0;
  fields_used_ = 0;
  informational_seen_ = 0;
  content_length_ = 0;
  remaining_ = 0;
  keep_alive_timeout_ = -1;
  state_ = State::head;
  body_ = Body::none;
  status_line_seen_ = false;
  head_done_ = false;
  started_ = false;
  upgraded_ = false;
  may_keep_alive_ = false;
  keep_alive_ = false;
}

ResponseDecoder::Event ResponseDecoder::next(std::string_view& input) {
  data_ = {};
  for (;;) {
    switch (state_) {
      case State::done:
        return Event::end;
      case State::failed:
        return Event::error;
      case State::length_body:
        if (remaining_ == 0) return complete();
        if (input.empty()) return Event::need_more;
        data_ = take_data(input, remaining_);
        return Event::data;
      case State::close_body:
        if (input.empty()) return Event::need_more;
        data_ = std::exchange(input, {});
        return Event::data;
      case State::chunked_body:
        return next_of_chunks(input);
      case State::head:
      case State::trailers:
        if (input.empty()) return Event::need_more;
        return next_block(input);
    }
  }
}

ResponseDecoder::Event ResponseDecoder::next_block(std::string_view& input) {
  started_ = true;
  const bool is_trailers = state_ == State::trailers;
  const Step step = block_.next(input, is_trailers ? trailers_ : head_.headers,
                                [this](std::string_view block, auto& slots) { return parse_block(block, slots); });
  if (step == Step::failed) return Event::error;
  if (step == Step::incomplete) return Event::need_more;
  head_bytes_used_ += block_.size();
  fields_used_ += block_.field_count();
  return is_trailers ? complete() : complete_head();
}

ResponseDecoder::Step ResponseDecoder::parse_block(std::string_view block, std::vector<Headers::Slot>& slots) {
  const char* const begin = block.data();
  const char* const end = begin + block.size();
  const bool is_trailers = state_ == State::trailers;
  const std::size_t budget = limits_.head_bytes - std::min(limits_.head_bytes, head_bytes_used_);
  const std::size_t field_budget = limits_.field_count - std::min(limits_.field_count, fields_used_);
  const auto is_too_long = [&, may_be = block.size() > std::min(budget, limits_.line_bytes)](const char* line,
                                                                                             const char* next) {
    return may_be && (static_cast<std::size_t>(next - begin) > budget ||
                      static_cast<std::size_t>(next - line) > limits_.line_bytes);
  };

  const char* line = begin + block_.line_start();
  if (!is_trailers && !status_line_seen_) {
    if (!check_start(block)) return Step::failed;
    const char* const next = parse_status_line(line, end);
    if (next == nullptr || is_too_long(line, next)) return judge_line(begin, line, end);
    status_line_seen_ = true;
    line = next;
  }
  const FieldLines lines = read_field_lines(begin, line, end, slots, field_budget, is_too_long,
                                            [&](std::string_view name, std::string_view value) {
                                              if (!is_trailers) return !may_frame(name) || note_field(name, value);
                                              return !is_forbidden_trailer(name) || refuse_trailer(name);
                                            });
  if (lines.end == FieldLines::complete) return block_.complete_at(static_cast<std::size_t>(lines.at - begin));
  if (lines.end == FieldLines::judge) return judge_line(begin, lines.at, end);
  if (lines.end == FieldLines::count) refuse_field_count();
  return Step::failed;
}

// A line that is not right, too long, or only not complete yet.
ResponseDecoder::Step ResponseDecoder::judge_line(const char* begin, const char* line, const char* end) {
  const void* const lf = line == end ? nullptr : std::memchr(line, '\n', static_cast<std::size_t>(end - line));
  if (lf != nullptr) end = static_cast<const char*>(lf) + 1;
  if (static_cast<std::size_t>(end - begin) + head_bytes_used_ > limits_.head_bytes) {
    fail(ErrorCode::limit_exceeded,
         "its heads and trailers are larger than the limit of " + std::to_string(limits_.head_bytes) + " bytes");
  } else if (static_cast<std::size_t>(end - line) > limits_.line_bytes) {
    fail(ErrorCode::limit_exceeded,
         "a line of its head is longer than the limit of " + std::to_string(limits_.line_bytes) + " bytes");
  } else if (lf == nullptr) {
    return block_.wait_at(static_cast<std::size_t>(line - begin));
  } else {
    fail(ErrorCode::invalid_response, status_line_seen_ || state_ == State::trailers ? field_line_problem(line, end)
                                                                                     : status_line_problem(line, end));
  }
  return Step::failed;
}

void ResponseDecoder::refuse_field_count() {
  fail(ErrorCode::limit_exceeded, "it has more fields than the limit of " + std::to_string(limits_.field_count));
}

bool ResponseDecoder::refuse_trailer(std::string_view name) {
  fail_field(name, "is not allowed in a trailer");
  return false;
}

// Refused as soon as the first wrong byte is there: a server of another protocol may never send an LF.
bool ResponseDecoder::check_start(std::string_view block) {
  if (block.starts_with(version_prefix)) return true;
  const std::size_t size = std::min(block.size(), version_prefix.size());
  for (std::size_t i = 0; i < size; ++i) {
    if (block[i] == version_prefix[i]) continue;
    std::string_view what = "it does not begin with \"HTTP/1.\"";
    if (i == 0 && (block[0] == 0x15 || block[0] == 0x16)) what = "it looks like TLS: is this an https port?";
    if (i == 0 && block[0] == 0) what = "it looks like an HTTP/2 frame: does this port speak HTTP/2 only?";
    if (i == 0 && (block[0] == '\r' || block[0] == '\n')) what = "an empty line stands before the status line";
    fail(ErrorCode::invalid_response, what);
    return false;
  }
  return true;
}

// "HTTP/1.1 200 OK" CR LF. Many servers leave the space out when there is no reason; that has one meaning only.
// Returns the start of the next line, or null.
const char* ResponseDecoder::parse_status_line(const char* p, const char* end) {
  if (end - p < 14) return nullptr;
  p += version_prefix.size();  // check_start has seen it
  // What nearly all responses say, and 70 instructions less than the long way.
  constexpr std::string_view usual = "1 200 OK\r\n";
  if (static_cast<std::size_t>(end - p) >= usual.size() && std::memcmp(p, usual.data(), usual.size()) == 0) {
    head_.minor_version = 1;
    head_.status = 200;
    head_.reason = std::string("OK");
    framing_ = {};
    return p + usual.size();
  }
  if ((p[0] != '0' && p[0] != '1') || p[1] != ' ') return nullptr;
  if (p[2] < '1' || p[2] > '9' || !is_digit(p[3]) || !is_digit(p[4])) return nullptr;
  if (p[5] != ' ' && p[5] != '\r') return nullptr;
  const char* const reason = p[5] == ' ' ? p + 6 : p + 5;
  const char* const cr = find_control(reason, end);
  if (end - cr < 2 || cr[0] != '\r' || cr[1] != '\n') return nullptr;
  head_.minor_version = p[0] - '0';
  head_.status = (p[2] - '0') * 100 + (p[3] - '0') * 10 + (p[4] - '0');
  head_.reason = std::string(reason, cr);
  framing_ = {};
  return cr + 2;
}

// The few fields that decide framing and reuse, told apart by length first.
bool ResponseDecoder::note_field(std::string_view name, std::string_view value) {
  std::string_view element;
  switch (name.size()) {
    case 7:
      framing_.has_upgrade = framing_.has_upgrade || matches(name, "upgrade");
      return true;
    case 10:
      if (matches(name, "connection")) {
        if (matches(value, "keep-alive")) {  // by far the most frequent
          framing_.keep_alive = true;
          return true;
        }
        while (next_element(value, element)) {
          framing_.close = framing_.close || matches(element, "close");
          framing_.keep_alive = framing_.keep_alive || matches(element, "keep-alive");
        }
      } else if (matches(name, "keep-alive")) {
        keep_alive_timeout_ = keep_alive_hint(value);
      }
      return true;
    case 14:
      if (!matches(name, "content-length")) return true;
      // RFC 9110 section 8.6 lets a recipient accept equal duplicates ("5, 5"). We do not: honest servers send one.
      if (framing_.has_length) {
        fail_field(name, "occurs twice");
        return false;
      }
      framing_.has_length = true;
      if (!parse_decimal(value, framing_.length)) {
        fail_field(name, "is not one decimal number below 2^64");
        return false;
      }
      return true;
    case 17:
      if (!matches(name, "transfer-encoding")) return true;
      // We never send TE, so chunked alone is all that a server may use (RFC 9112 section 7).
      if (framing_.chunked || !matches(value, "chunked")) {
        fail_field(name, "is not exactly \"chunked\"");
        return false;
      }
      framing_.chunked = true;
      return true;
    default:
      return true;
  }
}

ResponseDecoder::Event ResponseDecoder::complete_head() {
  status_line_seen_ = false;
  const int status = head_.status;
  if (framing_.chunked && framing_.has_length) {
    return fail(ErrorCode::invalid_response, "it has both Content-Length and Transfer-Encoding");
  }
  if (framing_.chunked && head_.minor_version == 0) {
    return fail(ErrorCode::invalid_response, "it is HTTP/1.0 with Transfer-Encoding");
  }
  if (status >= 200) return complete_final_head();

  if (framing_.chunked || framing_.length != 0) {
    return fail(ErrorCode::invalid_response, "an informational response (1xx) says that it has a body");
  }
  if (status == 101) {
    if (!request_.upgrade) return fail(ErrorCode::invalid_response, "it is 101 although no upgrade was asked for");
    if (!framing_.has_upgrade || head_.minor_version == 0) {
      return fail(ErrorCode::invalid_response, "it is 101 but does not say to which protocol");
    }
    return complete_final_head();
  }
  if (++informational_seen_ > limits_.informational) {
    return fail(ErrorCode::limit_exceeded,
                "more than " + std::to_string(limits_.informational) + " informational responses (1xx) came");
  }
  return Event::informational;
}

ResponseDecoder::Event ResponseDecoder::complete_final_head() {
  const int status = head_.status;
  head_done_ = true;
  upgraded_ = status == 101 || (request_.connect && status / 100 == 2);
  const bool no_body = upgraded_ || request_.head || status == 204 || status == 304;
  may_keep_alive_ = !framing_.close && (head_.minor_version == 1 || framing_.keep_alive);
  // A tunnel is no HTTP any more, and a proxy that refused one may have half of it open: neither is ever pooled.
  if (upgraded_ || request_.connect) may_keep_alive_ = false;
  if (no_body) {
    // RFC 9112 section 6.3 says there is no body, whatever the fields say. A 204 that declares one may send it all the
    // same, so that connection is not used again.
    if (status == 204 && (framing_.chunked || framing_.length != 0)) may_keep_alive_ = false;
    state_ = State::length_body;
  } else if (framing_.chunked) {
    body_ = Body::chunked;
    chunks_ = {};
    state_ = State::chunked_body;
  } else if (framing_.has_length) {
    body_ = Body::length;
    content_length_ = remaining_ = framing_.length;
    state_ = State::length_body;
  } else {
    body_ = Body::until_close;
    may_keep_alive_ = false;
    state_ = State::close_body;
  }
  return Event::head;
}

ResponseDecoder::Event ResponseDecoder::next_of_chunks(std::string_view& input) {
  const ChunkLimits limits{limits_.chunk_line_bytes, limits_.chunk_extension_bytes};
  const ChunkedBody::Event event = chunks_.next(input, block_.kept(), limits);
  switch (event) {
    case ChunkedBody::Event::need_more:
      return Event::need_more;
    case ChunkedBody::Event::data:
      data_ = chunks_.data();
      return Event::data;
    case ChunkedBody::Event::end:
      state_ = State::trailers;
      return input.empty() ? Event::need_more : next_block(input);
    case ChunkedBody::Event::malformed:
      return fail(ErrorCode::invalid_response, chunks_.problem(event, limits));
    default:
      return fail(ErrorCode::limit_exceeded, chunks_.problem(event, limits));
  }
}

ResponseDecoder::Event ResponseDecoder::complete() {
  state_ = State::done;
  keep_alive_ = may_keep_alive_;
  return Event::end;
}

ResponseDecoder::Event ResponseDecoder::finish() {
  switch (state_) {
    case State::done:
      return Event::end;
    case State::failed:
      return Event::error;
    case State::close_body:
      return complete();
    case State::length_body:
      if (remaining_ == 0) return complete();
      return fail(ErrorCode::truncated_body,
                  "the peer closed the connection " + std::to_string(remaining_) + " bytes before the end of the body");
    case State::head:
      if (!started_) return fail(ErrorCode::connection_closed, "the peer closed the connection without answering");
      return fail(ErrorCode::truncated_body, "the peer closed the connection within the head of its response");
    default:
      return fail(ErrorCode::truncated_body, "the peer closed the connection within a chunked body");
  }
}

ResponseDecoder::Event ResponseDecoder::fail(ErrorCode code, std::string_view what) {
  std::string message;
  if (kind_of(code) == ErrorKind::broken_peer) message = "the response was refused: ";
  message += what;
  error_ = std::make_unique<Error>(code, head_done_ ? Phase::body : Phase::first_byte, std::move(message));
  error_->maybe_processed = head_done_ ? MaybeProcessed::yes : MaybeProcessed::unknown;
  state_ = State::failed;
  may_keep_alive_ = false;
  keep_alive_ = false;
  upgraded_ = false;
  data_ = {};
  return Event::error;
}

// The name is a token, so it is printable; its value is never shown, it may be a secret.
ResponseDecoder::Event ResponseDecoder::fail_field(std::string_view name, std::string_view what) {
  std::string message("the field ");
  message += printable(name, 40);
  message += ' ';
  message += what;
  return fail(ErrorCode::invalid_response, message);
}

}  // namespace trunkline::http1
