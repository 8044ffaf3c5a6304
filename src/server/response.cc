#include "server/response.h"

#include "http1/response_encoder.h"

namespace trunkline::server {

Response plain_response(int status, std::string_view sentence) {
  std::string text = std::to_string(status);
  const std::string_view phrase = http1::reason_phrase(status);
  if (!phrase.empty()) text += ' ' + std::string(phrase);
  text += '\n';
  if (!sentence.empty()) text += std::string(sentence) + '\n';
  return {status, "text/plain; charset=utf-8", std::move(text)};
}

}  // namespace trunkline::server
