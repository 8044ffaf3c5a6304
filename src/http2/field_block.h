// The fields of one header block as they are decoded: one at a time on a connection, so its memory is used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/headers.hpp>

namespace trunkline::http2 {

class FieldBlock {
 public:
  void clear() {
    text_size_ = 0;
    slots_.clear();
    status_ = 0;
    content_length_.reset();
  }

  // nghttp2 has seen that names are tokens in small letters, that values are clean, and that :status is the only
  // pseudo-header, the first field, there once, and of three digits.
  void add(std::string_view name, std::string_view value);

  int status() const { return status_; }
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  Headers take() const { return Headers::adopt({text_.data(), text_size_}, slots_); }

 private:
  std::string text_;  // its first text_size_ bytes
  std::size_t text_size_ = 0;
  std::vector<Headers::Slot> slots_;
  int status_ = 0;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace trunkline::http2
