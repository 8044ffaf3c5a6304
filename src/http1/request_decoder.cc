// What a head says is judged in request_head.cc.
#include "http1/request_decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "http1/field_line.h"

namespace trunkline::http1 {
namespace {

constexpr std::size_t largest_part = 1U << 29;  // offsets of fields have 32 bits

RequestLimits bounded(RequestLimits limits) {
  limits.request_line_bytes = std::min(limits.request_line_bytes, largest_part);
  limits.field_bytes = std::min(limits.field_bytes, largest_part);
  return limits;
}

// Most names differ in length from those that note_field knows.
bool may_matter(std::string_view name) {
  constexpr unsigned lengths = 1U << 4 | 1U << 6 | 1U << 7 | 1U << 10 | 1U << 14 | 1U << 17;
  return name.size() < 32 && (lengths >> name.size() & 1) != 0;
}

}  // namespace

RequestDecoder::RequestDecoder(const RequestLimits& limits) : limits_(bounded(limits)) { begin(); }

void RequestDecoder::begin() {
  head_.method.clear();
  head_.target.clear();
  head_.minor_version = 1;
  head_.headers.clear();
  trailers_.clear();
  data_ = {};
  refusal_.reset();
  block_.begin();
  noted_ = {};
  fields_start_ = 0;
  field_bytes_used_ = 0;
  fields_used_ = 0;
  content_length_ = 0;
  remaining_ = 0;
  body_limit_ = limits_.body_bytes;
  state_ = State::start;
  body_ = Body::none;
  line_seen_ = false;
  head_done_ = false;
  expects_continue_ = false;
  wants_upgrade_ = false;
  keep_alive_ = false;
}

RequestDecoder::Event RequestDecoder::next(std::string_view& input) {
  data_ = {};
  for (;;) {
    switch (state_) {
      case State::done:
        return Event::end;
      case State::failed:
        return Event::error;
      case State::start:
      case State::start_lf:
        if (input.empty()) return Event::need_more;
        if (!skip_empty_line(input)) return Event::error;
        break;
      case State::length_body:
        if (remaining_ == 0) return complete_message();
        if (input.empty()) return Event::need_more;
        data_ = take_data(input, remaining_);
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

// One may stand before a request: some clients send one too many behind a body (RFC 9112 section 2.2).
bool RequestDecoder::skip_empty_line(std::string_view& input) {
  const char c = input.front();
  if (state_ == State::start_lf) {
    if (c != '\n') return fail(400, "a CR without LF stands before the request"), false;
    state_ = State::head;
  } else if (c == '\r') {
    state_ = State::start_lf;
  } else {
    state_ = State::head;
    return true;
  }
  input.remove_prefix(1);
  return true;
}

RequestDecoder::Event RequestDecoder::next_block(std::string_view& input) {
  const bool is_trailers = state_ == State::trailers;
  const Step step = block_.next(input, is_trailers ? trailers_ : head_.headers,
                                [this](std::string_view block, auto& slots) { return parse_block(block, slots); });
  if (step == Step::failed) return Event::error;
  if (step == Step::incomplete) return Event::need_more;
  field_bytes_used_ += block_.size() - fields_start_;
  fields_used_ += block_.field_count();
  fields_start_ = 0;
  return is_trailers ? complete_message() : complete_head();
}

RequestDecoder::Step RequestDecoder::parse_block(std::string_view block, std::vector<Headers::Slot>& slots) {
  const char* const begin = block.data();
  const char* const end = begin + block.size();
  const bool is_trailers = state_ == State::trailers;
  const std::size_t field_budget = limits_.field_count - std::min(limits_.field_count, fields_used_);

  const char* line = begin + block_.line_start();
  if (!is_trailers && !line_seen_) {
    if (!check_start(block)) return Step::failed;
    const char* const next = parse_request_line(line, end);
    if (next == nullptr) return state_ == State::failed ? Step::failed : judge_line(begin, line, end);
    line_seen_ = true;
    line = next;
    fields_start_ = static_cast<std::size_t>(next - begin);
  }
  const char* const fields = begin + fields_start_;
  const std::size_t budget = limits_.field_bytes - std::min(limits_.field_bytes, field_bytes_used_);
  const auto is_too_long = [&](const char*, const char* next) {
    return static_cast<std::size_t>(next - fields) > budget;
  };
  const FieldLines lines = read_field_lines(
      begin, line, end, slots, field_budget, is_too_long, [&](std::string_view name, std::string_view value) {
        if (!is_trailers) return !may_matter(name) || note_field(name, value, slots.size() - 1);
        return !is_forbidden_trailer(name) || (fail_field(name, "is not allowed in a trailer"), false);
      });
  if (lines.end == FieldLines::complete) return block_.complete_at(static_cast<std::size_t>(lines.at - begin));
  if (lines.end == FieldLines::judge) return judge_line(begin, lines.at, end);
  if (lines.end == FieldLines::count) {
    fail(431, "it has more fields than the limit of " + std::to_string(limits_.field_count));
  }
  return Step::failed;
}

// A line that is not right, too long, or only not complete yet.
RequestDecoder::Step RequestDecoder::judge_line(const char* begin, const char* line, const char* end) {
  const void* const lf = line == end ? nullptr : std::memchr(line, '\n', static_cast<std::size_t>(end - line));
  if (lf != nullptr) end = static_cast<const char*>(lf) + 1;
  const bool is_request_line = state_ == State::head && !line_seen_;
  const auto size = static_cast<std::size_t>(end - begin) - fields_start_;
  if (is_request_line && size > limits_.request_line_bytes) {
    fail(414, "its request line is longer than the limit of " + std::to_string(limits_.request_line_bytes) + " bytes");
  } else if (!is_request_line && size + field_bytes_used_ > limits_.field_bytes) {
    fail(431, "its fields are larger than the limit of " + std::to_string(limits_.field_bytes) + " bytes");
  } else if (lf == nullptr) {
    return block_.wait_at(static_cast<std::size_t>(line - begin));
  } else if (is_request_line) {
    fail(400, "its request line is not a method, a target, \"HTTP/1.1\" and CR LF with one space between them");
  } else {
    fail(400, field_line_problem(line, end));
  }
  return Step::failed;
}

RequestDecoder::Event RequestDecoder::next_of_chunks(std::string_view& input) {
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
    case ChunkedBody::Event::line_limit:
      return fail(400, chunks_.problem(event, limits));
    case ChunkedBody::Event::extension_limit:
      return fail(413, chunks_.problem(event, limits));
    case ChunkedBody::Event::body_limit:
      break;
  }
  return fail_body();
}

RequestDecoder::Event RequestDecoder::complete_message() {
  state_ = State::done;
  return Event::end;
}

RequestDecoder::Event RequestDecoder::finish() {
  switch (state_) {
    case State::done:
      return Event::end;
    case State::failed:
      return Event::error;
    case State::start:
    case State::start_lf:
      return complete_message();
    case State::length_body:
      if (remaining_ == 0) return complete_message();
      return fail(400, "the client closed the connection within the body");
    case State::head:
      if (!block_.keeps_any()) return complete_message();
      return fail(400, "the client closed the connection within the head");
    default:
      return fail(400, "the client closed the connection within a chunked body");
  }
}

RequestDecoder::Event RequestDecoder::fail(int status, std::string_view what) {
  std::string message("the request was refused: ");
  message += what;
  refusal_ = std::make_unique<RequestRefusal>(RequestRefusal{status, std::move(message)});
  state_ = State::failed;
  keep_alive_ = false;
  expects_continue_ = false;
  wants_upgrade_ = false;
  data_ = {};
  block_.release();
  return Event::error;
}

RequestDecoder::Event RequestDecoder::fail_body() {
  return fail(413, "its body is larger than the limit of " + std::to_string(body_limit_) + " bytes");
}

// The name is a token, so it is printable; its value is never shown, it may be a secret.
RequestDecoder::Event RequestDecoder::fail_field(std::string_view name, std::string_view what, int status) {
  std::string message("the field ");
  message += printable(name, 40);
  message += ' ';
  message += what;
  return fail(status, message);
}

}  // namespace trunkline::http1
