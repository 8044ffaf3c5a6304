#include "http1/chunked_body.h"

#include <algorithm>

#include "http1/chunk_line.h"

namespace trunkline::http1 {

std::string_view take_data(std::string_view& input, std::uint64_t& remaining) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining, input.size()));
  const std::string_view data = input.substr(0, size);
  input.remove_prefix(size);
  remaining -= size;
  return data;
}

ChunkedBody::Event ChunkedBody::next(std::string_view& input, std::string& partial, const ChunkLimits& limits) {
  data_ = {};
  while (!input.empty()) {
    switch (state_) {
      case State::size: {
        const Event event = next_size(input, partial, limits);
        if (event != Event::data) return event;
        state_ = State::data;
        break;
      }
      case State::data:
        data_ = take_data(input, remaining_);
        if (remaining_ == 0) state_ = State::cr;
        return Event::data;
      case State::cr:
      case State::lf:
        if (input.front() != (state_ == State::cr ? '\r' : '\n')) {
          malformed_ = "a chunk is longer than its size says, or CR LF is missing after it";
          return Event::malformed;
        }
        input.remove_prefix(1);
        state_ = state_ == State::cr ? State::lf : State::size;
        break;
    }
  }
  return Event::need_more;
}

// `data`: of a chunk with bytes in it.
ChunkedBody::Event ChunkedBody::next_size(std::string_view& input, std::string& partial, const ChunkLimits& limits) {
  std::string_view line;
  const LineStep step = take_line(input, partial, limits.line_bytes, line);
  if (step == LineStep::too_long) return Event::line_limit;
  if (step == LineStep::incomplete) return Event::need_more;
  ChunkLine read;
  malformed_ = read_chunk_line(line, read);
  if (!malformed_.empty()) return Event::malformed;
  // Nobody uses extensions; many small chunks with long ones only cost us (Go CVE-2023-39326).
  extension_bytes_ += read.extension_bytes;
  if (extension_bytes_ > limits.extension_bytes) return Event::extension_limit;
  if (read.size > room_) return Event::body_limit;
  partial.clear();
  room_ -= read.size;
  remaining_ = read.size;
  return remaining_ == 0 ? Event::end : Event::data;
}

std::string ChunkedBody::problem(Event event, const ChunkLimits& limits) const {
  switch (event) {
    case Event::line_limit:
      return "a chunk-size line is longer than the limit of " + std::to_string(limits.line_bytes) + " bytes";
    case Event::extension_limit:
      return "its chunk extensions are larger than the limit of " + std::to_string(limits.extension_bytes) + " bytes";
    default:
      return std::string(malformed_);
  }
}

}  // namespace trunkline::http1
