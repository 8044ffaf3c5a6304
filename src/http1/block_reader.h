// A head or the trailers of a message, for both sides' decoders. A block is parsed line by line. When all of it is in
// the input, it is parsed there and copied once, into its Headers; otherwise its bytes gather here, and parsing goes
// on at the line that was incomplete. A line is judged only when its LF is there, or when it is too long without, so
// the verdict does not depend on how the bytes were cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trunkline/headers.hpp>

#include "base/per_thread.h"
#include "http1/field_line.h"

namespace trunkline::http1 {

class BlockReader {
 public:
  enum class Step : unsigned char { complete, incomplete, failed };
  using Slots = std::vector<Headers::Slot>;

  void begin() {
    kept_.clear();
    slots_.clear();
    line_start_ = 0;
  }
  // `parse(block, slots)` parses what is there of the block, from line_start() on, and ends with complete_at, wait_at
  // or a failure. The rest of the block comes in the next input. When it is complete, `fields` holds it.
  template <class Parse>
  Step next(std::string_view& input, Headers& fields, const Parse& parse);

  // What a parser may ask and say, in bytes from the block's beginning.
  std::size_t line_start() const { return line_start_; }  // the lines before it are parsed
  Step complete_at(std::size_t end) {
    size_ = end;
    return Step::complete;
  }
  Step wait_at(std::size_t line) {
    line_start_ = line;
    return Step::incomplete;
  }

  // Of the block that is complete.
  std::size_t size() const { return size_; }
  std::size_t field_count() const { return field_count_; }
  // What came of a block, or of another line that the decoder gathers here while there is none.
  std::string& kept() { return kept_; }
  bool keeps_any() const { return !kept_.empty(); }
  void release() { std::string().swap(kept_); }

 private:
  std::string kept_;
  Slots slots_;  // of what is kept
  std::size_t line_start_ = 0;
  std::size_t size_ = 0;
  std::size_t field_count_ = 0;
};

template <class Parse>
BlockReader::Step BlockReader::next(std::string_view& input, Headers& fields, const Parse& parse) {
  Step step = Step::incomplete;
  // An idle connection owns no buffer: the slots are the thread's, but for a block that comes in pieces.
  struct SpareSlots;
  auto& spare_slots = per_thread<Slots, SpareSlots>();
  const bool whole = kept_.empty();
  Slots& slots = whole ? spare_slots : slots_;
  if (whole) {
    slots.clear();
    step = parse(input, slots);
    if (step == Step::incomplete) {
      slots_ = slots;
      kept_ = input;
      input = {};
    }
  } else {
    while (step == Step::incomplete && !input.empty()) {
      const void* const lf = std::memchr(input.data(), '\n', input.size());
      const std::size_t size =
          lf == nullptr ? input.size() : static_cast<std::size_t>(static_cast<const char*>(lf) - input.data()) + 1;
      kept_.append(input, 0, size);
      input.remove_prefix(size);
      step = parse(std::string_view(kept_), slots);
    }
  }
  if (step != Step::complete) return step;

  field_count_ = slots.size();
  if (slots.empty()) {
    fields.clear();
  } else {
    fields = Headers::adopt(whole ? input.substr(0, size_) : kept_, slots);
  }
  if (whole) {
    input.remove_prefix(size_);
  } else {
    std::string().swap(kept_);
    Slots().swap(slots_);
  }
  line_start_ = 0;
  return Step::complete;
}

// The field lines of a block from `line` on, up to the empty one. `is_too_long(line, next)` and `note(name, value,
// index)` have a say in each.
struct FieldLines {
  enum End : unsigned char {
    complete,  // `at` is behind the empty line
    judge,     // the line at `at` is not right, too long, or not complete yet
    count,     // there are more than so many
    refused,   // `note` returned false
  } end;
  const char* at;
};

template <class IsTooLong, class Note>
[[gnu::always_inline]] inline FieldLines read_field_lines(const char* begin, const char* line, const char* end,
                                                          BlockReader::Slots& slots, std::size_t most_fields,
                                                          const IsTooLong& is_too_long, const Note& note) {
  for (;;) {
    const bool is_last = end - line >= 2 && line[0] == '\r' && line[1] == '\n';
    FieldLine field;
    const char* const next = is_last ? line + 2 : scan_field_line(line, end, field);
    if (next == nullptr || is_too_long(line, next)) return {FieldLines::judge, line};
    if (is_last) return {FieldLines::complete, next};
    if (slots.size() == most_fields) return {FieldLines::count, line};
    const auto offset = [begin](const char* at) { return static_cast<std::uint32_t>(at - begin); };
    slots.push_back({offset(line), field.name_length, offset(field.value), field.value_length});
    if (!note(std::string_view(line, field.name_length), std::string_view(field.value, field.value_length))) {
      return {FieldLines::refused, line};
    }
    line = next;
  }
}

}  // namespace trunkline::http1
