#include "http2/field_block.h"

#include <array>

#include "base/characters.h"

namespace trunkline::http2 {
namespace {

constexpr std::array<bool, 256> make_name_table() {
  std::array<bool, 256> table = token_table;
  for (std::size_t c = 'A'; c <= 'Z'; ++c) table[c] = false;
  return table;
}
constexpr std::array<bool, 256> name_table = make_name_table();

constexpr std::size_t stride = 16;  // looked at in one step, so that many bytes behind a field must be readable

#if defined(__SSE2__)
// The bytes of [p, p + size) for which `mask` has no one, as ones: `size` is at most a stride.
unsigned outside(__m128i mask, std::size_t size) {
  const unsigned ours = size >= stride ? 0xFFFFU : (1U << size) - 1;
  return ~static_cast<unsigned>(_mm_movemask_epi8(mask)) & ours;
}
#endif

// Reads up to a stride beyond the end.
bool is_field_name(const char* p, std::size_t size) {
#if defined(__SSE2__)
  // Of letters and "-" nearly all names consist.
  bool plain = true;
  for (std::size_t at = 0; at < size && plain; at += stride) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + at));
    const __m128i good = _mm_or_si128(in_range(bytes, 'a', 25), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
    plain = outside(good, size - at) == 0;
  }
  if (plain) return size > 0;
#endif
  for (std::size_t at = 0; at < size; ++at) {
    if (!name_table[static_cast<unsigned char>(p[at])]) return false;
  }
  return size > 0;
}

// The same.
bool is_field_value(const char* p, std::size_t size) {
  if (size == 0) return true;
  if (is_blank(p[0]) || is_blank(p[size - 1])) return false;
#if defined(__SSE2__)
  bool plain = true;
  for (std::size_t at = 0; at < size && plain; at += stride) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + at));
    plain = outside(in_range(bytes, ' ', 0x7E - ' '), size - at) == 0;
  }
  if (plain) return true;
#endif
  return find_control(p, p + size) == p + size;
}

// Most fields are shorter than what a call of memcpy costs.
void copy(char* to, const char* from, std::size_t size) {
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    std::memcpy(to, from, 16);
    std::memcpy(to + size - 16, from + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, from + size - 4, 4);
  } else {
    for (std::size_t at = 0; at < size; ++at) to[at] = from[at];
  }
}

template <class Word>
[[gnu::always_inline]] inline bool same_word(const char* a, const char* b) {
  Word left;
  Word right;
  std::memcpy(&left, a, sizeof left);
  std::memcpy(&right, b, sizeof right);
  return left == right;
}

// Nor do most take longer to compare.
[[gnu::always_inline]] inline bool equal(const char* a, const char* b, std::size_t size) {
  using Eight = std::uint64_t;
  using Four = std::uint32_t;
  if (size > 32) return std::memcmp(a, b, size) == 0;
  if (size >= 8) {
    const std::size_t last = size - 8;
    for (std::size_t at = 0; at < last; at += 8) {
      if (!same_word<Eight>(a + at, b + at)) return false;
    }
    return same_word<Eight>(a + last, b + last);
  }
  if (size >= 4) return same_word<Four>(a, b) && same_word<Four>(a + size - 4, b + size - 4);
  for (std::size_t at = 0; at < size; ++at) {
    if (a[at] != b[at]) return false;
  }
  return true;
}

}  // namespace

bool FieldBlock::add(std::string_view name, std::string_view value) {
  if (!repeats(name, value)) return add_new(name, value);
  if (name.size() == length_name.size() && !permits_again()) return false;
  ++count_;
  text_size_ += name.size() + value.size();
  return true;
}

void FieldBlock::hold_first(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  constexpr std::size_t most_held = 64;
  if (held_.size() + 1 != count_ || count_ > most_held) return;
  held_.emplace_back();
  held_.back().hold(name, value, size_at(count_ - 1));
}

// The field that is there already: only whether it is the one length of the block is not known from the block before.
bool FieldBlock::permits_again() {
  if (count_ == length_at_) {
    const bool is_first = !content_length_;
    content_length_ = length_;
    return is_first;
  }
  const std::string_view text = std::string_view(text_).substr(text_size_, size_at(count_));
  const std::size_t name_size = slots_[count_].name_length;
  return permits(text.substr(0, name_size), text.substr(name_size));
}

bool FieldBlock::repeats(std::string_view name, std::string_view value) const {
  if (count_ == slots_.size()) return false;
  const Headers::Slot& before = slots_[count_];
  if (before.name_length != name.size() || before.value_length != value.size()) return false;
  const char* const at = text_.data() + text_size_;
  return equal(at, name.data(), name.size()) && equal(at + name.size(), value.data(), value.size());
}

bool FieldBlock::add_new(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) return set_status(name, value);
  const std::size_t size = name.size() + value.size();
  if (text_.size() - text_size_ < size + stride) text_.resize(2 * (text_size_ + size) + stride);
  char* const at = text_.data() + text_size_;
  copy(at, name.data(), name.size());
  copy(at + name.size(), value.data(), value.size());
  if (length_at_ == count_) length_at_ = nowhere;
  const bool is_sound =
      is_field_name(at, name.size()) && is_field_value(at + name.size(), value.size()) && permits(name, value);
  // Where it takes the same room as the field before it, those behind it may still repeat theirs.
  const bool fits = count_ < slots_.size() && slots_[count_].name_length == name.size() &&
                    slots_[count_].value_length == value.size();
  if (!fits || !is_sound) slots_.resize(count_);
  while (held_.size() > slots_.size()) held_.pop_back();
  if (count_ < held_.size()) held_[count_].drop();
  if (!is_sound) return false;
  if (!fits) {
    const auto start = static_cast<std::uint32_t>(text_size_);
    const auto name_size = static_cast<std::uint32_t>(name.size());
    slots_.push_back({start, name_size, start + name_size, static_cast<std::uint32_t>(value.size())});
  }
  ++count_;
  text_size_ += size;
  return true;
}

void FieldBlock::shrink() {
  constexpr std::size_t usual_text = 4096;
  constexpr std::size_t usual_fields = 64;
  text_size_ = count_ = 0;
  if (text_.size() <= usual_text && slots_.capacity() <= usual_fields) return;
  text_ = std::string();
  std::vector<Headers::Slot>().swap(slots_);  // they speak of the text
  std::vector<HeldField>().swap(held_);
}

// The only pseudo-header of a response: the first field, once, of three digits.
bool FieldBlock::set_status(std::string_view name, std::string_view value) {
  if (trailers_ || status_ != 0 || count_ > 0 || name != ":status" || value.size() != 3) return false;
  for (const char c : value) {
    if (!is_digit(c)) return false;
    status_ = status_ * 10 + (c - '0');
  }
  return status_ >= 100 && status_ != 101;  // HTTP/2 has no upgrade
}

// What belongs to a connection, and not to a response, has no place in HTTP/2. One length only, and of digits.
bool FieldBlock::permits(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 2:
      return !matches(name, "te") || value == "trailers";
    case 7:
      return !matches(name, "upgrade");
    case 10:
      return !matches(name, "connection") && !matches(name, "keep-alive");
    case length_name.size(): {
      if (!matches(name, length_name) || trailers_) return true;
      std::uint64_t length = 0;
      if (content_length_ || !parse_decimal(value, length)) return false;
      content_length_ = length_ = length;
      length_at_ = count_;
      return true;
    }
    case 16:
      return !matches(name, "proxy-connection");
    case 17:
      return !matches(name, "transfer-encoding");
    default:
      return true;
  }
}

}  // namespace trunkline::http2
