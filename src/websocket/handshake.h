// The opening handshake of a client (RFC 6455 section 4): what is asked for and what an answer must say. Strict: what
// was not offered is not accepted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

#include "websocket/deflate.h"

namespace trunkline::websocket {

// Sixteen random bytes in base64: an answer to another request, or from a cache, does not fit.
std::string make_key();
// What a server must answer to a key.
std::string accept_for(std::string_view key);

struct Offer {
  std::string key;
  std::vector<std::string> subprotocols;  // the preferred first; tokens, each once
  bool deflate = false;
  bool keep_windows = false;  // between messages, where the server agrees
};

struct Agreement {
  std::string subprotocol;  // empty: none
  std::optional<DeflateParameters> deflate;
};

Result<void> check_offer(const Offer& offer);
// Sets the fields of the handshake but Upgrade and Connection, which belong to the connection.
void write_offer(const Offer& offer, Headers& headers);
// Of a 101.
Result<Agreement> read_answer(const Offer& offer, const Headers& headers);

}  // namespace trunkline::websocket
