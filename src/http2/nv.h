// A field as nghttp2 takes it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string_view>

namespace trunkline::http2 {

inline constexpr unsigned lent_value = NGHTTP2_NV_FLAG_NO_COPY_VALUE;

inline nghttp2_nv field(std::string_view name, std::string_view value, unsigned flags) {
  // nghttp2 does not write to what it is given.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          static_cast<std::uint8_t>(flags)};
}

}  // namespace trunkline::http2
