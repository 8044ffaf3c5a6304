#include "websocket/handshake.h"

#include <algorithm>
#include <array>

#include "base/characters.h"
#include "base/random.h"
#include "base/sha1.h"
#include "base/text.h"
#include "websocket/handshake_fields.h"

namespace trunkline::websocket {
namespace {

constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

Error broken(std::string what) { return Error(ErrorCode::invalid_response, Phase::first_byte, std::move(what)); }

// RFC 7692 section 7.1. client_max_window_bits was not offered, so it may not be answered.
Result<DeflateParameters> read_deflate(const Offer& offer, std::string_view parameters) {
  DeflateParameters agreed{.keep_our_window = offer.keep_windows, .keep_peer_window = true};
  bool bits_seen = false;
  bool server_seen = false;
  bool client_seen = false;
  while (!parameters.empty()) {
    std::string_view value = next_part(parameters, ';');
    const bool has_value = value.find('=') != std::string_view::npos;
    const std::string_view name = next_part(value, '=');
    if (equals_ignore_case(name, "server_no_context_takeover") && !has_value && !server_seen) {
      server_seen = true;
      agreed.keep_peer_window = false;
    } else if (equals_ignore_case(name, "client_no_context_takeover") && !has_value && !client_seen) {
      client_seen = true;
      agreed.keep_our_window = false;
    } else if (equals_ignore_case(name, "server_max_window_bits") && has_value && !bits_seen &&
               window_bits(value) != 0) {
      bits_seen = true;
    } else {
      return broken("the server's permessage-deflate has the parameter " + printable(name, 64) +
                    ", which it may not answer, or not so");
    }
  }
  if (agreed.keep_peer_window && !offer.keep_windows) {
    return broken("the server wants to keep its compression window, although it was asked not to");
  }
  return agreed;
}

Result<void> read_extensions(const Offer& offer, const Headers& headers, Agreement& agreement) {
  for (std::string_view value : headers.get_all("Sec-WebSocket-Extensions")) {
    while (!value.empty()) {
      std::string_view parameters = next_part(value, ',');
      const std::string_view name = next_part(parameters, ';');
      if (!offer.deflate || agreement.deflate || !equals_ignore_case(name, "permessage-deflate")) {
        return broken("the server chose the extension " + printable(name, 64) + ", which was not offered");
      }
      Result<DeflateParameters> agreed = read_deflate(offer, parameters);
      if (!agreed) return std::move(agreed).error();
      agreement.deflate = *agreed;
    }
  }
  return {};
}

}  // namespace

std::string make_key() {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes);
  return base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string accept_for(std::string_view key) {
  const auto digest = sha1(std::string(key).append(guid));
  return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Result<void> check_offer(const Offer& offer) {
  const auto& names = offer.subprotocols;
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (!is_token(*name)) {
      return Error(
          ErrorCode::invalid_request, Phase::prepare,
          "the subprotocol \"" + printable(*name, 64) + "\" is not a token: letters, digits and !#$%&'*+-.^_`|~");
    }
    if (std::find(names.begin(), name, *name) != name) {
      return Error(ErrorCode::invalid_request, Phase::prepare, "the subprotocol " + *name + " is offered twice");
    }
  }
  return {};
}

void write_offer(const Offer& offer, Headers& headers) {
  headers.set("Sec-WebSocket-Version", "13");
  headers.set("Sec-WebSocket-Key", offer.key);
  headers.remove("Sec-WebSocket-Protocol");
  headers.remove("Sec-WebSocket-Extensions");
  std::string subprotocols;
  for (const std::string& name : offer.subprotocols) subprotocols.append(subprotocols.empty() ? "" : ", ").append(name);
  if (!subprotocols.empty()) headers.add("Sec-WebSocket-Protocol", subprotocols);
  if (!offer.deflate) return;
  headers.add("Sec-WebSocket-Extensions",
              offer.keep_windows ? "permessage-deflate"
                                 : "permessage-deflate; client_no_context_takeover; server_no_context_takeover");
}

Result<Agreement> read_answer(const Offer& offer, const Headers& headers) {
  const auto upgrades = headers.get_all("Upgrade");
  if (upgrades.size() != 1 || !equals_ignore_case(upgrades.front(), "websocket")) {
    return broken("the server switched to something other than websocket");
  }
  if (!lists(headers, "Connection", "upgrade")) {
    return broken("the server switched protocols without \"Connection: Upgrade\"");
  }
  const auto accepts = headers.get_all("Sec-WebSocket-Accept");
  if (accepts.size() != 1 || accepts.front() != accept_for(offer.key)) {
    return broken("the server's Sec-WebSocket-Accept does not answer our key: it is no WebSocket server, or a cache");
  }
  Agreement agreement;
  const auto chosen = headers.get_all("Sec-WebSocket-Protocol");
  if (!chosen.empty()) {
    const auto& offered = offer.subprotocols;
    if (chosen.size() != 1 || std::find(offered.begin(), offered.end(), chosen.front()) == offered.end()) {
      return broken("the server chose a subprotocol that was not offered");
    }
    agreement.subprotocol = chosen.front();
  }
  if (auto sound = read_extensions(offer, headers, agreement); !sound) return std::move(sound).error();
  return agreement;
}

}  // namespace trunkline::websocket
