// As in the response decoder, a block (the head, or the trailers) is parsed line by line. When all of it is in the
// input, it is parsed there and copied once, into its Headers; otherwise its bytes gather in partial_ and parsing goes
// on at the line that was incomplete. A line is judged only when its LF is there, or when it is too long without, so
// the verdict does not depend on how the bytes were cut. What a head says is judged in request_head.cc.
#include "http1/request_decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/characters.h"
#include "base/per_thread.h"
#include "base/text.h"
#include "http1/chunk_line.h"
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
  partial_.clear();
  slots_.clear();
  noted_ = {};
  line_start_ = 0;
  fields_start_ = 0;
  field_bytes_used_ = 0;
  fields_used_ = 0;
  extension_bytes_used_ = 0;
  content_length_ = 0;
  remaining_ = 0;
  body_limit_ = body_room_ = limits_.body_bytes;
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
      case State::length_body:
      case State::chunk_data:
        if (remaining_ != 0) return input.empty() ? Event::need_more : next_data(input);
        if (state_ == State::length_body) return complete_message();
        state_ = State::chunk_cr;
        break;
      case State::start:
      case State::start_lf:
      case State::chunk_cr:
      case State::chunk_lf:
        if (input.empty()) return Event::need_more;
        if (!next_delimiter(input)) return Event::error;
        break;
      case State::chunk_size:
        if (input.empty()) return Event::need_more;
        if (!next_chunk_size(input)) return state_ == State::failed ? Event::error : Event::need_more;
        break;
      case State::head:
      case State::trailers:
        if (input.empty()) return Event::need_more;
        return next_block(input);
    }
  }
}

// CR LF where it must stand, or may: some clients send one too many behind a body (RFC 9112 section 2.2).
bool RequestDecoder::next_delimiter(std::string_view& input) {
  const bool is_cr = input.front() == '\r';
  const bool is_lf = input.front() == '\n';
  switch (state_) {
    case State::start:
      state_ = is_cr ? State::start_lf : State::head;
      if (!is_cr) return true;
      break;
    case State::start_lf:
      if (!is_lf) return fail(400, "a CR without LF stands before the request"), false;
      state_ = State::head;
      break;
    case State::chunk_cr:
      if (!is_cr) return fail(400, "a chunk is longer than its size says, or CR LF is missing after it"), false;
      state_ = State::chunk_lf;
      break;
    default:
      if (!is_lf) return fail(400, "a chunk is longer than its size says, or CR LF is missing after it"), false;
      state_ = State::chunk_size;
      break;
  }
  input.remove_prefix(1);
  return true;
}

RequestDecoder::Event RequestDecoder::next_data(std::string_view& input) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
  data_ = input.substr(0, size);
  input.remove_prefix(size);
  remaining_ -= size;
  return Event::data;
}

RequestDecoder::Event RequestDecoder::next_block(std::string_view& input) {
  Step step = Step::incomplete;
  // An idle connection owns no buffer: the slots are the thread's, but for a block that comes in pieces.
  struct SpareSlots;
  auto& spare_slots = per_thread<std::vector<Headers::Slot>, SpareSlots>();
  const bool whole = partial_.empty();
  std::vector<Headers::Slot>& slots = whole ? spare_slots : slots_;
  if (whole) {
    slots.clear();
    step = parse_block(input, slots);
    if (step == Step::incomplete) {
      slots_ = slots;
      partial_ = input;
      input = {};
    }
  } else {
    while (step == Step::incomplete && !input.empty()) {
      const void* const lf = std::memchr(input.data(), '\n', input.size());
      const std::size_t size =
          lf == nullptr ? input.size() : static_cast<std::size_t>(static_cast<const char*>(lf) - input.data()) + 1;
      partial_.append(input, 0, size);
      input.remove_prefix(size);
      step = parse_block(partial_, slots);
    }
  }
  if (step == Step::failed) return Event::error;
  if (step == Step::incomplete) return Event::need_more;

  field_bytes_used_ += block_size_ - fields_start_;
  fields_used_ += slots.size();
  Headers& fields = state_ == State::trailers ? trailers_ : head_.headers;
  if (slots.empty()) {
    fields.clear();
  } else {
    fields = Headers::adopt(whole ? input.substr(0, block_size_) : partial_, slots);
  }
  if (whole) {
    input.remove_prefix(block_size_);
  } else {
    std::string().swap(partial_);
    std::vector<Headers::Slot>().swap(slots_);
  }
  line_start_ = fields_start_ = 0;
  return state_ == State::trailers ? complete_message() : complete_head();
}

RequestDecoder::Step RequestDecoder::parse_block(std::string_view block, std::vector<Headers::Slot>& slots) {
  const char* const begin = block.data();
  const char* const end = begin + block.size();
  const bool is_trailers = state_ == State::trailers;
  const std::size_t field_budget = limits_.field_count - std::min(limits_.field_count, fields_used_);

  const char* line = begin + line_start_;
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
  for (;;) {
    const bool is_last = end - line >= 2 && line[0] == '\r' && line[1] == '\n';
    FieldLine field;
    const char* const next = is_last ? line + 2 : scan_field_line(line, end, field);
    if (next == nullptr || static_cast<std::size_t>(next - fields) > budget) return judge_line(begin, line, end);
    if (is_last) {
      block_size_ = static_cast<std::size_t>(next - begin);
      return Step::complete;
    }
    if (slots.size() == field_budget) {
      fail(431, "it has more fields than the limit of " + std::to_string(limits_.field_count));
      return Step::failed;
    }
    const auto offset = [begin](const char* at) { return static_cast<std::uint32_t>(at - begin); };
    const std::string_view name(line, field.name_length);
    slots.push_back({offset(line), field.name_length, offset(field.value), field.value_length});
    if (is_trailers) {
      if (is_forbidden_trailer(name)) {
        fail_field(name, "is not allowed in a trailer");
        return Step::failed;
      }
    } else if (may_matter(name) && !note_field(name, {field.value, field.value_length}, slots.size() - 1)) {
      return Step::failed;
    }
    line = next;
  }
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
    line_start_ = static_cast<std::size_t>(line - begin);
    return Step::incomplete;
  } else if (is_request_line) {
    fail(400, "its request line is not a method, a target, \"HTTP/1.1\" and CR LF with one space between them");
  } else {
    fail(400, field_line_problem(line, end));
  }
  return Step::failed;
}

// Returns true when a chunk-size line was taken, and the state after it is set.
bool RequestDecoder::next_chunk_size(std::string_view& input) {
  std::string_view line;
  const LineStep step = take_line(input, partial_, limits_.chunk_line_bytes, line);
  if (step == LineStep::too_long) {
    fail(400, "a chunk-size line is longer than the limit of " + std::to_string(limits_.chunk_line_bytes) + " bytes");
  }
  if (step != LineStep::complete) return false;
  ChunkLine read;
  if (const std::string_view wrong = read_chunk_line(line, read); !wrong.empty()) {
    fail(400, wrong);
    return false;
  }
  // Nobody uses extensions; many small chunks with long ones only cost us (Go CVE-2023-39326).
  extension_bytes_used_ += read.extension_bytes;
  if (extension_bytes_used_ > limits_.chunk_extension_bytes) {
    fail(413, "its chunk extensions are larger than the limit of " + std::to_string(limits_.chunk_extension_bytes) +
                  " bytes");
    return false;
  }
  if (read.size > body_room_) {
    fail_body();
    return false;
  }
  partial_.clear();
  body_room_ -= read.size;
  remaining_ = read.size;
  state_ = remaining_ == 0 ? State::trailers : State::chunk_data;
  return true;
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
      if (partial_.empty()) return complete_message();
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
  std::string().swap(partial_);
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
