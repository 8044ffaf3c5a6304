// What one message may hold: fields up to a limit, and a body of the length that its head announced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace trunkline::http2 {

// The fields of all heads and trailers of a message so far.
struct FieldCount {
  std::size_t bytes = 0;  // decoded, each field with 32 more
  std::size_t count = 0;

  // False: with this one there are too many, or too long.
  bool add(std::size_t name_and_value, std::size_t most_bytes, std::size_t most_fields) {
    constexpr std::size_t field_overhead = 32;  // RFC 9113 section 6.5.2
    bytes += name_and_value + field_overhead;
    return bytes <= most_bytes && ++count <= most_fields;
  }
};

class BodyLength {
 public:
  void announce(std::optional<std::uint64_t> length) { left_ = length.value_or(unknown); }
  // Of a body that comes. False: it is longer than announced.
  bool take(std::size_t size) {
    if (size > left_) return false;
    if (left_ != unknown) left_ -= size;
    return true;
  }
  // It may end here.
  bool is_whole() const { return left_ == 0 || left_ == unknown; }

 private:
  static constexpr std::uint64_t unknown = UINT64_MAX;
  std::uint64_t left_ = 0;
};

}  // namespace trunkline::http2
