#include "upload.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace trunkline::cli {

Upload::Upload(std::shared_ptr<const std::string> bytes, std::uint64_t generated, bool chunked, Headers trailers)
    : bytes_(std::move(bytes)),
      size_(bytes_ ? bytes_->size() : generated),
      chunked_(chunked),
      trailers_(std::move(trailers)) {}

std::optional<std::uint64_t> Upload::length() const { return chunked_ ? std::nullopt : std::optional(size_); }

BodySource::Pull Upload::pull(std::span<char> into, Callback<void()>) {
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - offset_));
  if (size == 0) return {Pull::end, 0, {}};
  if (bytes_) {
    std::memcpy(into.data(), bytes_->data() + offset_, size);
  } else {
    for (std::size_t i = 0; i < size; ++i) into[i] = "0123456789abcdef"[(offset_ + i) % 16];
  }
  offset_ += size;
  return {Pull::bytes, size, {}};
}

bool Upload::rewind() {
  offset_ = 0;
  return true;
}

}  // namespace trunkline::cli
