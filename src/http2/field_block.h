// The fields of one header block as they are decoded: one at a time on a connection, so its memory is used again.
// Servers repeat themselves: a field that is the same, and stands at the same place, as in the block before is there
// already, and known to be sound (400 instructions fewer for a usual response).
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
    if (trailers || trailers_) slots_.clear();  // they keep different rules
    trailers_ = trailers;
    text_size_ = 0;
    count_ = 0;
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
  Headers take() const { return Headers::adopt({text_.data(), text_size_}, {slots_.data(), count_}); }

 private:
  bool repeats(std::string_view name, std::string_view value) const;
  bool add_new(std::string_view name, std::string_view value);
  bool set_status(std::string_view name, std::string_view value);
  bool permits(std::string_view name, std::string_view value);

  bool trailers_ = false;
  std::string text_;  // its first text_size_ bytes
  std::size_t text_size_ = 0;
  std::vector<Headers::Slot> slots_;  // its first count_ are of this block, what follows and its text of the one before
  std::size_t count_ = 0;
  int status_ = 0;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace trunkline::http2
