// A whole response, as a value. Streams are begun with Exchange::start.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <trunkline/headers.hpp>

namespace trunkline::server {

struct Response {
  int status = 200;
  Headers headers;  // Content-Length, Transfer-Encoding, Connection and Date are written by the server
  std::string body;
  // Bytes that live as long as the program, such as embedded assets: instead of `body`, and not copied.
  std::string_view lasting_body;

  Response() = default;
  explicit Response(int status_code) : status(status_code) {}
  Response(int status_code, std::string_view content_type, std::string text)
      : status(status_code), headers{{"Content-Type", content_type}}, body(std::move(text)) {}

  std::string_view content() const { return lasting_body.empty() ? std::string_view(body) : lasting_body; }
};

// A response of such a status never has a body.
inline bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

// "404 Not Found" as plain text, and one sentence more, where there is one.
Response plain_response(int status, std::string_view sentence = {});

}  // namespace trunkline::server
