#include "http2/field_block.h"

#include <charconv>

namespace trunkline::http2 {
namespace {

constexpr std::string_view content_length_name = "content-length";

std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void FieldBlock::add(std::string_view name, std::string_view value) {
  if (name.front() == ':') {
    status_ = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    return;
  }
  if (name.size() == content_length_name.size() && name == content_length_name) content_length_ = decimal(value);
  const std::size_t size = name.size() + value.size();
  if (text_.size() - text_size_ < size) text_.resize(2 * (text_size_ + size));
  char* const at = text_.data() + text_size_;
  std::memcpy(at, name.data(), name.size());
  if (!value.empty()) std::memcpy(at + name.size(), value.data(), value.size());
  const auto start = static_cast<std::uint32_t>(text_size_);
  const auto name_size = static_cast<std::uint32_t>(name.size());
  slots_.push_back({start, name_size, start + name_size, static_cast<std::uint32_t>(value.size())});
  text_size_ += size;
}

}  // namespace trunkline::http2
