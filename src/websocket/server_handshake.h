// The opening handshake of a server (RFC 6455 section 4.2): what a request must say, and what it is answered.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/headers.hpp>

#include "websocket/deflate.h"

namespace trunkline::websocket {

// What the server speaks.
struct ServerChoice {
  std::vector<std::string> subprotocols;  // the preferred first; of those the client offers, the first is chosen
  bool deflate = false;                   // permessage-deflate, where the client offers it
  bool keep_windows = false;              // between messages: compresses better, and costs memory for every socket
};

struct HandshakeAnswer {
  int status = 101;         // otherwise it is refused: 400, or 426 for a version that is not 13 and for no upgrade
  std::string what;         // why it is refused, for people
  std::string subprotocol;  // empty: none
  std::optional<DeflateParameters> deflate;
  // With 101 those of the handshake but Upgrade and Connection, which belong to the connection
  // (http1::encode_switch); with 426 what the client should have said.
  Headers headers;
};

// Does the request ask for a WebSocket? Then answer_handshake says how it is answered.
bool wants_websocket(const Headers& headers);

HandshakeAnswer answer_handshake(const ServerChoice& choice, std::string_view method, int minor_version,
                                 const Headers& headers);

}  // namespace trunkline::websocket
