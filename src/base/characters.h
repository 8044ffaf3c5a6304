// The character classes of RFC 9110 section 5.6.2 and 5.5, as tables and vector tricks: every byte of every head passes
// here.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace trunkline {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (const char c :
       std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
inline constexpr std::array<bool, 256> token_table = make_token_table();

inline bool is_token_char(char c) { return token_table[static_cast<unsigned char>(c)]; }

// CR, LF, NUL, DEL and the other controls; tab too.
inline bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

#if defined(__SSE2__)
// Each byte that is at least `low` and at most `low + span`, as ones.
inline __m128i in_range(__m128i bytes, char low, char span) {
  const __m128i above_low = _mm_sub_epi8(bytes, _mm_set1_epi8(low));
  return _mm_cmpeq_epi8(_mm_min_epu8(above_low, _mm_set1_epi8(span)), above_low);
}
#endif

#if defined(__SSE2__)
// Whether all bytes of the text are of a class, sixteen at a time: `is_of_class` gives ones for those that are. What
// fills sixteen bytes not quite is looked at from both ends, and the middle twice, so that nothing beside it is read.
// Not for texts of less than four bytes: false.
template <class Class>
inline bool all_are(std::string_view text, const Class& is_of_class) {
  const auto all = [&](__m128i bytes) { return _mm_movemask_epi8(is_of_class(bytes)) == 0xFFFF; };
  const char* p = text.data();
  const char* const end = p + text.size();
  if (text.size() >= 16) {
    for (; end - p > 16; p += 16) {
      if (!all(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))) return false;
    }
    return all(_mm_loadu_si128(reinterpret_cast<const __m128i*>(end - 16)));
  }
  if (text.size() >= 8) {
    const __m128i front = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    const __m128i back = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(end - 8));
    return all(_mm_unpacklo_epi64(front, back));
  }
  if (text.size() < 4) return false;
  std::uint32_t front;
  std::uint32_t back;
  std::memcpy(&front, p, sizeof front);
  std::memcpy(&back, end - 4, sizeof back);
  const auto twice = static_cast<std::int64_t>(std::uint64_t{front} << 32 | back);
  return all(_mm_set1_epi64x(twice));
}
#endif

// Letters, digits and "-", of which nearly all names consist: then it is a token. False: it has to be looked at.
inline bool is_plain_name(std::string_view text) {
#if defined(__SSE2__)
  return all_are(text, [](__m128i bytes) {
    const __m128i letters = in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 25);
    return _mm_or_si128(letters, _mm_or_si128(in_range(bytes, '0', 9), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'))));
  });
#else
  static_cast<void>(text);
  return false;
#endif
}

// ASCII from the space to "~", of which nearly all values consist: no control character is in it. False: it has to be
// looked at.
inline bool is_plain_value(std::string_view text) {
#if defined(__SSE2__)
  return all_are(text, [](__m128i bytes) { return in_range(bytes, ' ', '~' - ' '); });
#else
  return text.empty();
#endif
}

// The end of the token at p. Letters, digits and "-", of which nearly all names consist, sixteen at a time.
inline const char* skip_token(const char* p, const char* end) {
#if defined(__SSE2__)
  if (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i letters = in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 25);
    const __m128i others = _mm_or_si128(in_range(bytes, '0', 9), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
    const auto stops = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(letters, others))) ^ 0xFFFFU;
    p += stops == 0 ? 16 : std::countr_zero(stops);
    if (stops != 0 && *p == ':') return p;
  }
#endif
  while (p != end && is_token_char(*p)) ++p;
  return p;
}

inline bool is_token(std::string_view text) {
  const char* const end = text.data() + text.size();
  return is_plain_name(text) || (!text.empty() && skip_token(text.data(), end) == end);
}

// The first control character other than tab in [p, end), or end. Sixteen at a time: values are most of a head.
inline const char* find_control(const char* p, const char* end) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i below_space = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    const __m128i controls = _mm_or_si128(below_space, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F)));
    const auto stops = static_cast<unsigned>(_mm_movemask_epi8(controls));
    if (stops == 0) {
      p += 16;
      continue;
    }
    p += std::countr_zero(stops);
    if (*p != '\t') return p;
    ++p;
  }
#endif
  while (p != end && (!is_control(*p) || *p == '\t')) ++p;
  return p;
}

// `text` and `lower`, which must be small letters and "-" only, without case. For text without control characters,
// where the bit that makes letters small maps nothing else onto them; inlined, it is a few loads and no loop.
[[gnu::always_inline]] inline bool matches(std::string_view text, std::string_view lower) {
  const auto differs = [&]<class Word>(std::size_t at, Word small) {
    Word ours;
    Word theirs;
    std::memcpy(&ours, text.data() + at, sizeof(Word));
    std::memcpy(&theirs, lower.data() + at, sizeof(Word));
    return (ours | small) != theirs;
  };
  constexpr std::uint64_t small8 = 0x2020202020202020;
  constexpr std::uint32_t small4 = 0x20202020;
  const std::size_t size = lower.size();
  if (text.size() != size) return false;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) {
      if (differs(at, small8)) return false;
    }
    return !differs(size - 8, small8);
  }
  if (size >= 4) return !differs(0, small4) && !differs(size - 4, small4);
  for (std::size_t i = 0; i < size; ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::array<signed char, 256> make_hex_table() {
  std::array<signed char, 256> table{};
  table.fill(-1);
  for (signed char value = 0; value < 16; ++value) {
    table[static_cast<unsigned char>("0123456789abcdef"[value])] = value;
    table[static_cast<unsigned char>("0123456789ABCDEF"[value])] = value;
  }
  return table;
}
inline constexpr std::array<signed char, 256> hex_table = make_hex_table();

// Of a hexadecimal digit, small or not; -1: it is none.
inline int hex_value(char c) { return hex_table[static_cast<unsigned char>(c)]; }

inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Decimal digits only, below 2^64: the strict reading of Content-Length.
inline bool parse_decimal(std::string_view text, std::uint64_t& value) {
  if (text.empty()) return false;
  value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  return true;
}

// The next element of a comma-separated list, without spaces around it; empty elements are skipped as RFC 9110 says.
inline bool next_element(std::string_view& list, std::string_view& element) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    element = trimmed(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (!element.empty()) return true;
  }
  return false;
}

}  // namespace trunkline
