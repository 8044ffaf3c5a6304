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
  void begin(bool trailers) {
    trailers_ = trailers;
    text_size_ = 0;
    slots_.clear();
    status_ = 0;
    content_length_.reset();
  }

  // False: it breaks HTTP (RFC 9113 section 8.2 and 8.3), and with it all of the block. nghttp2 could look at fields
  // too; it takes 1,500 instructions for those of a usual response, and this a third of that.
  bool add(std::string_view name, std::string_view value);

  int status() const { return status_; }  // 0: none came
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  // Gives back what an unusually large block took. For whoever has connections by the thousand.
  void shrink();
  Headers take() const { return Headers::adopt({text_.data(), text_size_}, slots_); }

 private:
  bool set_status(std::string_view name, std::string_view value);
  bool permits(std::string_view name, std::string_view value);

  bool trailers_ = false;
  std::string text_;  // its first text_size_ bytes
  std::size_t text_size_ = 0;
  std::vector<Headers::Slot> slots_;
  int status_ = 0;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace trunkline::http2
