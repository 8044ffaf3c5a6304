#include <trunkline/headers.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <functional>
#include <limits>
#include <new>

#include "base/kept_blocks.h"

namespace trunkline {
namespace {

// ASCII capitals of eight bytes at once to small letters; other bytes stay. In each byte, adding carries into its high
// bit what is at least 'A', and what is above 'Z'.
std::uint64_t lower(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t high = 0x8080808080808080;
  const std::uint64_t low_bits = word & ~high;
  const std::uint64_t from_a = low_bits + ones * (0x80 - 'A');
  const std::uint64_t above_z = low_bits + ones * (0x7F - 'Z');
  return word | ((from_a & ~above_z & ~word & high) >> 2);
}

std::uint64_t load(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, count);
  return word;
}

bool points_into(std::string_view part, std::string_view whole) {
  const std::less<const char*> before;
  return !part.empty() && !before(part.data(), whole.data()) && before(part.data(), whole.data() + whole.size());
}

std::string_view as_bytes(std::span<const Headers::Slot> slots) {
  return {reinterpret_cast<const char*>(slots.data()), slots.size_bytes()};
}

}  // namespace

bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const char* p = a.data();
  const char* q = b.data();
  std::size_t left = a.size();
  for (; left >= 8; left -= 8, p += 8, q += 8) {
    if (lower(load(p, 8)) != lower(load(q, 8))) return false;
  }
  if (left >= 4) {
    if (lower(load(p, 4)) != lower(load(q, 4))) return false;
    left -= 4;
    p += 4;
    q += 4;
  }
  for (; left > 0; --left, ++p, ++q) {
    if (*p != *q && lower(load(p, 1)) != lower(load(q, 1))) return false;
  }
  return true;
}

char* Headers::Memory::allocate(std::size_t size) {
  void* const block = KeptBlocks::take(size);
  if (block == nullptr) throw std::bad_alloc();
  return static_cast<char*>(block);
}

void Headers::Memory::deallocate(char* bytes, std::size_t size) noexcept { KeptBlocks::give(bytes, size); }

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::size_t bytes = fields.size() * sizeof(Slot);
  for (const auto& [name, value] : fields) bytes += name.size() + value.size();
  bytes_.reserve(bytes);
  for (const auto& [name, value] : fields) add(name, value);
}

void Headers::add(std::string_view name, std::string_view value) {
  // headers.add("X", *headers.get("Y")) must work although the bytes move.
  if (points_into(name, bytes_) || points_into(value, bytes_)) {
    const std::string own_name(name);
    const std::string own_value(value);
    return add(own_name, own_value);
  }
  assert(text_size_ + name.size() + value.size() <= std::numeric_limits<std::uint32_t>::max());
  const auto name_length = static_cast<std::uint32_t>(name.size());
  const auto value_length = static_cast<std::uint32_t>(value.size());
  const Slot slot{text_size_, name_length, text_size_ + name_length, value_length};
  // The slots move up behind the new text, and the new slot comes last. At first there is room for two usual fields:
  // what fits into a block of two steps (base/kept_blocks.h), with the string's zero.
  const std::size_t text = name.size() + value.size();
  const std::size_t before = bytes_.size();
  const std::size_t after = before + text + sizeof slot;
  constexpr std::size_t least = 127;
  if (after > bytes_.capacity()) bytes_.reserve(std::max(least, after + after / 2));
  bytes_.resize(after);
  char* const at = bytes_.data() + text_size_;
  std::memmove(at + text, at, before - text_size_);
  name.copy(at, name.size());
  value.copy(at + name.size(), value.size());
  std::memcpy(bytes_.data() + before + text, &slot, sizeof slot);
  text_size_ += name_length + value_length;
  ++count_;
}

void Headers::set(std::string_view name, std::string_view value) {
  const std::string own_name(name);
  const std::string own_value(value);  // both may point into a field that is about to go
  remove(own_name);
  add(own_name, own_value);
}

void Headers::remove(std::string_view name) {
  if (!contains(name)) return;
  // Anew, without its bytes: set() in a loop does not grow.
  Headers others;
  others.bytes_.reserve(bytes_.size());
  for (const Field field : *this) {
    if (!equals_ignore_case(field.name, name)) others.add(field.name, field.value);
  }
  *this = std::move(others);
}

void Headers::clear() {
  bytes_.clear();
  text_size_ = count_ = 0;
}

bool Headers::contains(std::string_view name) const {
  // Asked once for every response, and nearly always no name is as long.
  const char* length = bytes_.data() + text_size_ + offsetof(Slot, name_length);
  for (const char* const end = length + count_ * sizeof(Slot); length != end; length += sizeof(Slot)) {
    std::uint32_t name_length;
    std::memcpy(&name_length, length, sizeof name_length);
    if (name_length == name.size()) return get(name).has_value();
  }
  return false;
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Field field : *this) {
    if (field.name.size() == name.size() && equals_ignore_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Headers::get_all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Field field : *this) {
    if (equals_ignore_case(field.name, name)) values.push_back(field.value);
  }
  return values;
}

Headers Headers::adopt(std::string_view text, std::span<const Slot> fields) {
  Headers headers;
  headers.bytes_.reserve(text.size() + fields.size_bytes());
  headers.bytes_.append(text).append(as_bytes(fields));
  headers.text_size_ = static_cast<std::uint32_t>(text.size());
  headers.count_ = static_cast<std::uint32_t>(fields.size());
  return headers;
}

}  // namespace trunkline
