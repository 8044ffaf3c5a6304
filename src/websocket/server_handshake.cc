#include "websocket/server_handshake.h"

#include <algorithm>
#include <utility>

#include "base/characters.h"
#include "websocket/handshake.h"
#include "websocket/handshake_fields.h"

namespace trunkline::websocket {
namespace {

constexpr int smallest_window = 9;  // that zlib writes

HandshakeAnswer refusal(int status, std::string_view what) {
  HandshakeAnswer answer;
  answer.status = status;
  answer.what = what;
  if (status == 426) answer.headers = {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
  return answer;
}

// Sixteen bytes in base64.
bool is_key(std::string_view key) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return key.size() == 24 && key.ends_with("==") && key.find_first_not_of(digits) == 22;
}

struct DeflateAnswer {
  DeflateParameters agreed;
  std::string field;
};

// One offer of permessage-deflate (RFC 7692 section 7.1). Nothing: it asks for what we do not know or cannot do, so
// another one may still serve.
std::optional<DeflateAnswer> answer_deflate(const ServerChoice& choice, std::string_view parameters) {
  bool server_forgets = false;
  bool client_forgets = false;
  bool client_bits_seen = false;
  int server_bits = 0;
  while (!parameters.empty()) {
    std::string_view value = next_part(parameters, ';');
    const bool has_value = value.find('=') != std::string_view::npos;
    const std::string_view name = next_part(value, '=');
    if (equals_ignore_case(name, "server_no_context_takeover") && !has_value && !server_forgets) {
      server_forgets = true;
    } else if (equals_ignore_case(name, "client_no_context_takeover") && !has_value && !client_forgets) {
      client_forgets = true;
    } else if (equals_ignore_case(name, "server_max_window_bits") && has_value && server_bits == 0) {
      server_bits = window_bits(value);
      if (server_bits < smallest_window) return std::nullopt;
    } else if (equals_ignore_case(name, "client_max_window_bits") && !client_bits_seen) {
      client_bits_seen = true;  // we read any window
      if (has_value && window_bits(value) == 0) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  DeflateAnswer answer;
  answer.agreed.keep_our_window = choice.keep_windows && !server_forgets;
  answer.agreed.keep_peer_window = choice.keep_windows && !client_forgets;
  answer.field = "permessage-deflate";
  if (!answer.agreed.keep_our_window) answer.field += "; server_no_context_takeover";
  if (!answer.agreed.keep_peer_window) answer.field += "; client_no_context_takeover";
  if (server_bits != 0) {
    answer.agreed.our_window_bits = server_bits;
    answer.field += "; server_max_window_bits=" + std::to_string(server_bits);
  }
  return answer;
}

// The first offer that serves.
void choose_deflate(const ServerChoice& choice, const Headers& headers, HandshakeAnswer& answer) {
  for (std::string_view offers : headers.get_all("Sec-WebSocket-Extensions")) {
    while (!offers.empty()) {
      std::string_view parameters = next_part(offers, ',');
      if (!equals_ignore_case(next_part(parameters, ';'), "permessage-deflate")) continue;
      if (auto made = answer_deflate(choice, parameters)) {
        answer.deflate = made->agreed;
        answer.headers.add("Sec-WebSocket-Extensions", made->field);
        return;
      }
    }
  }
}

// False: what the client offers is no list of names.
bool choose_subprotocol(const ServerChoice& choice, const Headers& headers, HandshakeAnswer& answer) {
  const auto& ours = choice.subprotocols;
  auto best = ours.end();
  for (std::string_view offers : headers.get_all("Sec-WebSocket-Protocol")) {
    while (!offers.empty()) {
      const std::string_view name = next_part(offers, ',');
      if (name.empty()) continue;
      if (!is_token(name)) return false;
      best = std::min(best, std::find(ours.begin(), ours.end(), name));
    }
  }
  if (best == ours.end()) return true;
  answer.subprotocol = *best;
  answer.headers.add("Sec-WebSocket-Protocol", *best);
  return true;
}

}  // namespace

bool wants_websocket(const Headers& headers) { return lists(headers, "Upgrade", "websocket"); }

HandshakeAnswer answer_handshake(const ServerChoice& choice, std::string_view method, int minor_version,
                                 const Headers& headers) {
  if (!wants_websocket(headers)) return refusal(426, "this is a WebSocket, and the request does not ask for one");
  if (method != "GET" || minor_version < 1) return refusal(400, "a WebSocket begins with GET over HTTP/1.1");
  if (!lists(headers, "Connection", "upgrade")) return refusal(400, "Connection does not list upgrade");
  const auto versions = headers.get_all("Sec-WebSocket-Version");
  if (versions.size() != 1 || versions.front() != "13") return refusal(426, "Sec-WebSocket-Version is not 13");
  const auto keys = headers.get_all("Sec-WebSocket-Key");
  if (keys.size() != 1 || !is_key(keys.front())) {
    return refusal(400, "Sec-WebSocket-Key is not sixteen bytes in base64");
  }
  HandshakeAnswer answer;
  answer.headers = {{"Sec-WebSocket-Accept", accept_for(keys.front())}};
  if (!choose_subprotocol(choice, headers, answer)) {
    return refusal(400, "Sec-WebSocket-Protocol is not a list of tokens");
  }
  if (choice.deflate) choose_deflate(choice, headers, answer);
  return answer;
}

}  // namespace trunkline::websocket
