// Responses to bytes, refusing whatever could smuggle: control characters, ambiguous framing, fields that are ours to
// set. How the body is framed is decided here too, from the response and what the request permits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

namespace trunkline::http1 {

struct OutgoingResponse {
  int status = 200;  // 200 to 599
  // Content-Length must agree with the body; Connection may be "close" or "keep-alive"; Transfer-Encoding and other
  // fields of the connection are refused. Date and Server replace ours. An Upgrade field (426) is listed in Connection.
  const Headers* headers = nullptr;
  std::string_view date;    // the value of Date, for this second; empty: no such field
  std::string_view server;  // the same of Server
  bool has_body = false;
  std::optional<std::uint64_t> content_length;  // with has_body and none: chunked, or until the close
};

// What the request permits.
struct ResponseContext {
  int minor_version = 1;   // of the request's HTTP/1.x
  bool is_head = false;    // the request was HEAD: no body is sent, the fields are those of a GET
  bool keep_alive = true;  // the client permits another request, and so do we
};

struct ResponseFraming {
  enum class Body : unsigned char {
    none,         // nothing follows the head, even if the response has a body (HEAD)
    length,       // as many bytes as it says
    chunked,      // encode_chunk_prefix, bytes, CR LF, ..., encode_last_chunk (http1/request_encoder.h)
    until_close,  // bytes, then the end of the connection
  } body = Body::none;
  bool keep_alive = true;  // false: after this response the connection is closed, and it says so
};

// Is it a response we would ever send? Messages name the field, never its value.
Result<void> check_response(const OutgoingResponse& response);

// Appends the head, through the empty line. Refuses, and appends nothing, what check_response refuses.
Result<ResponseFraming> encode_response(const OutgoingResponse& response, const ResponseContext& context,
                                        std::string& out);

// An interim response: 100, 102 or 103 (to HTTP/1.1 only).
Result<void> encode_interim(int status, const Headers& headers, std::string& out);

// 101 to another protocol, which is named in Upgrade; the headers are those of its handshake.
Result<void> encode_switch(std::string_view protocol, const Headers& headers, std::string_view date, std::string& out);

// "OK", "Not Found"; empty for what has no name.
std::string_view reason_phrase(int status);

}  // namespace trunkline::http1
