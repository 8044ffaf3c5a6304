#include "http2/held_field.h"

namespace trunkline::http2 {

void HeldField::take(nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::size_t size) {
  drop();
  if (++misses_ == most_misses) return;
  nghttp2_rcbuf_incref(name);
  nghttp2_rcbuf_incref(value);
  name_ = name;
  value_ = value;
  size_ = size;
}

void HeldField::drop() {
  if (name_ == nullptr) return;
  nghttp2_rcbuf_decref(std::exchange(name_, nullptr));
  nghttp2_rcbuf_decref(std::exchange(value_, nullptr));
}

}  // namespace trunkline::http2
