// Requests to bytes, refusing whatever could smuggle: control characters, ambiguous framing, fields that are ours to
// set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

namespace trunkline::http1 {

struct RequestHead {
  std::string_view method;
  std::string_view target;  // origin-form, absolute-form, authority-form (CONNECT) or "*"
  std::string_view host;    // the authority for Host:, unless the caller's headers hold a valid one
  const Headers* headers = nullptr;
  std::string_view user_agent;       // sent unless the caller's headers hold one or this is empty
  std::string_view accept_encoding;  // sent unless this is empty; then the caller's headers hold none
  // What usual_start() made of these four, when many requests have the same; or empty.
  std::string_view usual;
  std::string_view extra;        // complete "Name: value\r\n" lines that the transport itself adds (proxy credentials)
  bool upgrade = false;          // keep the caller's Upgrade and Connection: upgrade
  bool expect_continue = false;  // add Expect: 100-continue
  bool has_body = false;
  std::optional<std::uint64_t> content_length;  // with has_body and none: chunked
};

// Is it a request we would ever send? Checked before anything is dialled. Messages name the field, never its value.
Result<void> check_request(std::string_view method, std::string_view target, const Headers& headers);
// Its parts: a target is checked once for many requests.
Result<void> check_target(std::string_view target);
Result<void> check_head(std::string_view method, const Headers& headers);

// What stands between the method and the caller's fields when they hold neither Host nor User-Agent.
std::string usual_start(std::string_view target, std::string_view host, std::string_view user_agent,
                        std::string_view accept_encoding = {});

// The head, through the empty line, at the start of `buffer`, which grows as it must and keeps its size: a buffer that
// is used again costs nothing. The request must have passed check_request.
// Content-Length or Transfer-Encoding is written by us; a caller's own Content-Length must agree (check it in
// check_framing) and is not written twice.
[[nodiscard]] std::string_view encode_head(const RequestHead& request, std::string& buffer);

// A caller's Content-Length, Transfer-Encoding, Connection, Host, Expect against the body that will be sent.
Result<void> check_framing(const Headers& headers, bool has_body, std::optional<std::uint64_t> content_length,
                           bool upgrade);

// One chunk of a chunked body: "size\r\n" before the data and "\r\n" after; and the end, with trailers.
void encode_chunk_prefix(std::size_t size, std::string& out);
Result<void> check_trailers(const Headers& trailers);
Result<void> encode_last_chunk(const Headers& trailers, std::string& out);

bool is_field_value(std::string_view text);  // no CR, LF, NUL or other control but tab; no edge spaces needed

}  // namespace trunkline::http1
