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

#include "http2/held_field.h"

namespace trunkline::http2 {

class FieldBlock {
 public:
  void begin(bool trailers) {
    if (trailers || trailers_) forget();  // they keep different rules
    trailers_ = trailers;
    text_size_ = 0;
    count_ = 0;
    status_ = 0;
    content_length_.reset();
  }

  // False: it breaks HTTP (RFC 9113 section 8.2 and 8.3), and with it all of the block. nghttp2 could look at fields
  // too; it takes 1,500 instructions for those of a usual response, and this a third of that.
  bool add(std::string_view name, std::string_view value);
  // The same, of texts that nghttp2 holds: if the field at its place in the next block comes in them, it is known().
  bool add_and_hold(std::string_view name, std::string_view value, nghttp2_rcbuf* held_name,
                    nghttp2_rcbuf* held_value) {
    const std::size_t at = count_;
    if (!add(name, value)) return false;
    if (at == count_) return true;  // a status
    if (at < held_.size()) {
      held_[at].hold(held_name, held_value, name.size() + value.size());
    } else {
      hold_first(held_name, held_value);
    }
    return true;
  }
  // Null: it is another one, for add(). Otherwise add_known() adds it.
  const HeldField* known(const nghttp2_rcbuf* name, const nghttp2_rcbuf* value) const {
    return count_ < held_.size() && held_[count_].is(name, value) ? &held_[count_] : nullptr;
  }
  std::size_t known_name_size() const { return slots_[count_].name_length; }
  bool add_known() {
    if (slots_[count_].name_length == length_name.size() && !permits_again()) return false;
    held_[count_].hit();
    text_size_ += held_[count_++].size();
    return true;
  }

  int status() const { return status_; }  // 0: none came
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  // Gives back what an unusually large block took. For whoever has connections by the thousand.
  void shrink();
  Headers take() const { return Headers::adopt({text_.data(), text_size_}, {slots_.data(), count_}); }

 private:
  void forget() {
    slots_.clear();
    held_.clear();
    length_at_ = nowhere;
  }
  static constexpr std::string_view length_name = "content-length";

  std::size_t size_at(std::size_t at) const { return slots_[at].name_length + slots_[at].value_length; }
  void hold_first(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  bool permits_again();
  bool repeats(std::string_view name, std::string_view value) const;
  bool add_new(std::string_view name, std::string_view value);
  bool set_status(std::string_view name, std::string_view value);
  bool permits(std::string_view name, std::string_view value);

  bool trailers_ = false;
  std::string text_;  // its first text_size_ bytes
  std::size_t text_size_ = 0;
  std::vector<Headers::Slot> slots_;  // its first count_ are of this block, what follows and its text of the one before
  std::size_t count_ = 0;
  std::vector<HeldField> held_;  // of the first slots: what they were taken from, if it is held
  int status_ = 0;
  std::optional<std::uint64_t> content_length_;
  static constexpr std::size_t nowhere = SIZE_MAX;
  std::size_t length_at_ = nowhere;  // there, the block before had its length
  std::uint64_t length_ = 0;         // this
};

}  // namespace trunkline::http2
