#include "websocket/server_handshake.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "websocket/handshake.h"

namespace trunkline::websocket {
namespace server_handshake_test {

Headers request() {
  return {{"Host", "a"},
          {"Upgrade", "WebSocket"},
          {"Connection", "keep-alive, Upgrade"},
          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
          {"Sec-WebSocket-Version", "13"}};
}

Headers with(std::string_view name, std::string_view value) {
  Headers headers = request();
  headers.set(name, value);
  return headers;
}

Headers without(std::string_view name) {
  Headers headers = request();
  headers.remove(name);
  return headers;
}

Headers plus(std::string_view name, std::string_view value) {
  Headers headers = request();
  headers.add(name, value);
  return headers;
}

HandshakeAnswer answer(const Headers& headers, const ServerChoice& choice = {}) {
  return answer_handshake(choice, "GET", 1, headers);
}

TEST(WebSocketServerHandshake, answers_the_request_of_rfc_6455) {
  const HandshakeAnswer made = answer(request());
  EXPECT_EQ(made.status, 101) << made.what;
  EXPECT_EQ(made.headers.size(), 1U);
  EXPECT_EQ(made.headers.get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(made.subprotocol, "");
  EXPECT_FALSE(made.deflate);
}

TEST(WebSocketServerHandshake, knows_who_asks_for_a_websocket) {
  EXPECT_TRUE(wants_websocket(request()));
  EXPECT_TRUE(wants_websocket(with("Upgrade", "h2c, websocket")));
  EXPECT_FALSE(wants_websocket(with("Upgrade", "h2c")));
  EXPECT_FALSE(wants_websocket(without("Upgrade")));
}

TEST(WebSocketServerHandshake, says_426_to_another_version_and_to_no_upgrade) {
  for (const Headers& headers : {with("Sec-WebSocket-Version", "8"), with("Sec-WebSocket-Version", "13, 8"),
                                 with("Sec-WebSocket-Version", "130"), without("Sec-WebSocket-Version"),
                                 plus("Sec-WebSocket-Version", "13"), with("Upgrade", "h2c"), without("Upgrade")}) {
    const HandshakeAnswer made = answer(headers);
    EXPECT_EQ(made.status, 426);
    EXPECT_EQ(made.headers.get("Sec-WebSocket-Version"), "13");
    EXPECT_EQ(made.headers.get("Upgrade"), "websocket");
    EXPECT_FALSE(made.headers.contains("Sec-WebSocket-Accept"));
    EXPECT_NE(made.what, "");
  }
}

TEST(WebSocketServerHandshake, refuses_what_is_no_handshake) {
  EXPECT_EQ(answer_handshake({}, "POST", 1, request()).status, 400);
  EXPECT_EQ(answer_handshake({}, "GET", 0, request()).status, 400);
  EXPECT_EQ(answer(with("Connection", "keep-alive")).status, 400);
  EXPECT_EQ(answer(without("Connection")).status, 400);
  EXPECT_EQ(answer(without("Sec-WebSocket-Key")).status, 400);
  EXPECT_EQ(answer(plus("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")).status, 400) << "twice";
  for (const std::string_view key :
       {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQAA"}) {
    EXPECT_EQ(answer(with("Sec-WebSocket-Key", key)).status, 400) << key;
    EXPECT_EQ(answer(with("Sec-WebSocket-Key", key)).headers.size(), 0U);
  }
}

TEST(WebSocketServerHandshake, chooses_the_subprotocol_that_it_prefers) {
  const ServerChoice choice{.subprotocols = {"chat.v2", "chat"}};
  const HandshakeAnswer made = answer(with("Sec-WebSocket-Protocol", "other, chat , chat.v2"), choice);
  EXPECT_EQ(made.subprotocol, "chat.v2");
  EXPECT_EQ(made.headers.get("Sec-WebSocket-Protocol"), "chat.v2");
  Headers two = with("Sec-WebSocket-Protocol", "other");
  two.add("Sec-WebSocket-Protocol", "chat");
  EXPECT_EQ(answer(two, choice).subprotocol, "chat");
  for (const std::string_view offered : {"other", "Chat", ""}) {
    const HandshakeAnswer none = answer(with("Sec-WebSocket-Protocol", offered), choice);
    EXPECT_EQ(none.status, 101);
    EXPECT_EQ(none.subprotocol, "");
    EXPECT_FALSE(none.headers.contains("Sec-WebSocket-Protocol"));
  }
  EXPECT_EQ(answer(with("Sec-WebSocket-Protocol", "chat"), {}).subprotocol, "");
  EXPECT_EQ(answer(with("Sec-WebSocket-Protocol", "chat, a b"), choice).status, 400);
}

std::string extensions(std::string_view offered, const ServerChoice& choice) {
  const HandshakeAnswer made = answer(with("Sec-WebSocket-Extensions", offered), choice);
  EXPECT_EQ(made.status, 101);
  EXPECT_EQ(made.deflate.has_value(), made.headers.contains("Sec-WebSocket-Extensions"));
  return std::string(made.headers.get("Sec-WebSocket-Extensions").value_or(""));
}

TEST(WebSocketServerHandshake, agrees_to_compression_where_it_is_offered_and_wanted) {
  const ServerChoice forgetful{.deflate = true};
  const ServerChoice keeping{.deflate = true, .keep_windows = true};
  EXPECT_EQ(extensions("permessage-deflate", {}), "");
  EXPECT_EQ(extensions("x-webkit-deflate-frame", forgetful), "");
  EXPECT_EQ(extensions("permessage-deflate", forgetful),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  EXPECT_EQ(extensions("permessage-deflate; client_max_window_bits", keeping), "permessage-deflate");
  EXPECT_EQ(extensions("permessage-deflate; client_max_window_bits=10", keeping), "permessage-deflate");
  EXPECT_EQ(extensions("permessage-deflate; server_no_context_takeover", keeping),
            "permessage-deflate; server_no_context_takeover");
  EXPECT_EQ(extensions("permessage-deflate; client_no_context_takeover", keeping),
            "permessage-deflate; client_no_context_takeover");
  EXPECT_EQ(extensions("permessage-deflate; server_max_window_bits=10", keeping),
            "permessage-deflate; server_max_window_bits=10");
}

TEST(WebSocketServerHandshake, takes_the_first_offer_that_serves) {
  const ServerChoice choice{.deflate = true, .keep_windows = true};
  for (const std::string_view unusable :
       {"x=y", "server_max_window_bits=8", "server_max_window_bits=16", "server_max_window_bits",
        "server_max_window_bits=09", "client_max_window_bits=7", "server_no_context_takeover=1",
        "server_no_context_takeover; server_no_context_takeover", "client_max_window_bits; client_max_window_bits=9"}) {
    const std::string offer = "permessage-deflate; " + std::string(unusable);
    EXPECT_EQ(extensions(offer, choice), "") << unusable;
    EXPECT_EQ(extensions(offer + ", permessage-deflate", choice), "permessage-deflate") << unusable;
  }
}

TEST(WebSocketServerHandshake, knows_what_was_agreed) {
  const ServerChoice choice{.deflate = true, .keep_windows = true};
  const HandshakeAnswer made = answer(
      with("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=\"12\"; client_no_context_takeover"),
      choice);
  ASSERT_TRUE(made.deflate);
  EXPECT_TRUE(made.deflate->keep_our_window);
  EXPECT_FALSE(made.deflate->keep_peer_window);
  EXPECT_EQ(made.deflate->our_window_bits, 12);
}

// Our own client, whatever it offers, accepts what our server answers, and both mean the same.
TEST(WebSocketServerHandshake, agrees_with_our_client) {
  for (const bool client_deflates : {false, true}) {
    for (const bool client_keeps : {false, true}) {
      for (const bool server_deflates : {false, true}) {
        for (const bool server_keeps : {false, true}) {
          const Offer offer{
              .key = make_key(), .subprotocols = {"a", "b"}, .deflate = client_deflates, .keep_windows = client_keeps};
          Headers asked{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}};
          write_offer(offer, asked);
          HandshakeAnswer made =
              answer(asked, {.subprotocols = {"b"}, .deflate = server_deflates, .keep_windows = server_keeps});
          ASSERT_EQ(made.status, 101) << made.what;
          made.headers.add("Upgrade", "websocket");
          made.headers.add("Connection", "Upgrade");
          const Result<Agreement> agreed = read_answer(offer, made.headers);
          ASSERT_TRUE(agreed) << agreed.error().message;
          EXPECT_EQ(agreed->subprotocol, "b");
          ASSERT_EQ(agreed->deflate.has_value(), made.deflate.has_value());
          EXPECT_EQ(made.deflate.has_value(), client_deflates && server_deflates);
          if (!made.deflate) continue;
          EXPECT_EQ(agreed->deflate->keep_our_window, made.deflate->keep_peer_window);
          EXPECT_EQ(agreed->deflate->keep_peer_window, made.deflate->keep_our_window);
        }
      }
    }
  }
}

}  // namespace server_handshake_test
}  // namespace trunkline::websocket
