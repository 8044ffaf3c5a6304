// What a request's HEADERS are made of, and which requests HTTP/2 has no words for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

namespace trunkline::http2 {

// What it points to must stay until the head was sent (Stream::any_byte_sent), or the stream was reset or closed:
// nothing is copied before.
struct RequestHead {
  std::string_view method;
  std::string_view scheme;  // this and the path are empty with CONNECT
  std::string_view authority;
  std::string_view path;
  // Sound fields. Names may have capitals; Host becomes the authority; Connection and Keep-Alive, for which HTTP/2 has
  // no word, are left out.
  const Headers* headers = nullptr;
  std::string_view user_agent;                  // sent unless the headers hold one or this is empty
  std::string_view accept_encoding;             // sent unless this is empty; then the headers hold none
  bool expect_continue = false;                 // sent unless the headers hold it
  std::optional<std::uint64_t> content_length;  // sent unless the headers hold it
};

// The most that a request's fields may take, each counted with 32 bytes more: nobody accepts half of it.
inline constexpr std::size_t most_request_field_bytes = 512 * 1024;

// What makes sense over HTTP/1.1 but cannot be said here: upgrades, codings of the transfer, hop-by-hop options. Of
// fields that are sound in themselves (http1::check_request).
Result<void> check_request(const Headers& headers);

}  // namespace trunkline::http2
