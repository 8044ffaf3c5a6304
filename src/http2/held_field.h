// A field of a header block by its identity. What a peer sends out of HPACK's tables is, in nghttp2's hands, the same
// two texts each time: who holds on to them knows the field again by comparing two pointers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <nghttp2/nghttp2.h>

namespace trunkline::http2 {

inline std::string_view view(nghttp2_rcbuf* text) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(text);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

class HeldField {
 public:
  HeldField() = default;
  ~HeldField() { drop(); }
  HeldField(HeldField&& other) noexcept
      : name_(std::exchange(other.name_, nullptr)),
        value_(std::exchange(other.value_, nullptr)),
        size_(other.size_),
        misses_(other.misses_) {}
  HeldField& operator=(HeldField&&) = delete;

  bool is(const nghttp2_rcbuf* name, const nghttp2_rcbuf* value) const { return name == name_ && value == value_; }
  std::size_t size() const { return size_; }  // of name and value together
  // It was this one.
  void hit() { misses_ = 0; }
  // It was another one, of so many bytes: that is held from now on. A peer that sends its fields as literals has new
  // texts each time, and holding them only costs: after a few in a row it is given up.
  void hold(nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::size_t size) {
    if (misses_ < most_misses) take(name, value, size);
  }
  void drop();

 private:
  static constexpr std::uint8_t most_misses = 4;
  void take(nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::size_t size);

  nghttp2_rcbuf* name_ = nullptr;
  nghttp2_rcbuf* value_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t misses_ = 0;  // in a row; then nothing is held
};

}  // namespace trunkline::http2
