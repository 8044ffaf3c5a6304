#include "websocket/handshake.h"

#include <gtest/gtest.h>

namespace trunkline::websocket {
namespace handshake_test {

const Offer plain{.key = "dGhlIHNhbXBsZSBub25jZQ=="};
const Offer chatting{.key = "dGhlIHNhbXBsZSBub25jZQ==", .subprotocols = {"chat.v2", "chat"}};
const Offer packing{.key = "dGhlIHNhbXBsZSBub25jZQ==", .deflate = true};
const Offer keeping{.key = "dGhlIHNhbXBsZSBub25jZQ==", .deflate = true, .keep_windows = true};

Headers answer() {
  return {{"Upgrade", "WebSocket"},
          {"Connection", "keep-alive, Upgrade"},
          {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};
}

std::string refusal(const Offer& offer, const Headers& headers) {
  const Result<Agreement> agreement = read_answer(offer, headers);
  return agreement ? "" : agreement.error().message;
}

Headers with(std::string_view name, std::string_view value) {
  Headers headers = answer();
  headers.add(name, value);
  return headers;
}

TEST(WebSocketHandshake, keys_are_sixteen_bytes_and_never_the_same) {
  EXPECT_EQ(make_key().size(), 24U);
  EXPECT_NE(make_key(), make_key());
}

TEST(WebSocketHandshake, accepts_the_answer_of_rfc_6455) {
  EXPECT_EQ(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  const Result<Agreement> agreement = read_answer(plain, answer());
  ASSERT_TRUE(agreement) << agreement.error().message;
  EXPECT_EQ(agreement->subprotocol, "");
  EXPECT_FALSE(agreement->deflate);
}

TEST(WebSocketHandshake, refuses_an_answer_that_is_not_ours) {
  Headers headers = answer();
  headers.set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=");
  EXPECT_NE(refusal(plain, headers).find("Sec-WebSocket-Accept"), std::string::npos);
  headers.remove("Sec-WebSocket-Accept");
  EXPECT_NE(refusal(plain, headers), "");
  EXPECT_NE(refusal(plain, with("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")), "") << "twice";
  headers = answer();
  headers.set("Upgrade", "h2c");
  EXPECT_NE(refusal(plain, headers), "");
  headers = answer();
  headers.set("Connection", "close");
  EXPECT_NE(refusal(plain, headers), "");
}

TEST(WebSocketHandshake, takes_only_a_subprotocol_that_was_offered) {
  const Result<Agreement> agreement = read_answer(chatting, with("Sec-WebSocket-Protocol", "chat"));
  ASSERT_TRUE(agreement);
  EXPECT_EQ(agreement->subprotocol, "chat");
  EXPECT_EQ(refusal(chatting, answer()), "") << "a server may choose none";
  EXPECT_NE(refusal(plain, with("Sec-WebSocket-Protocol", "chat")), "");
  EXPECT_NE(refusal(chatting, with("Sec-WebSocket-Protocol", "other")), "");
  EXPECT_NE(refusal(chatting, with("Sec-WebSocket-Protocol", "chat, chat.v2")), "");
}

TEST(WebSocketHandshake, takes_only_an_extension_that_was_offered) {
  const auto extension = [](std::string_view value) { return with("Sec-WebSocket-Extensions", value); };
  const std::string both = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
  EXPECT_NE(refusal(plain, extension("permessage-deflate")), "");
  EXPECT_NE(refusal(packing, extension("x-webkit-deflate-frame")), "");
  EXPECT_NE(refusal(packing, extension(both + ", permessage-deflate")), "");
  ASSERT_TRUE(read_answer(packing, answer()));
  EXPECT_FALSE(read_answer(packing, answer())->deflate) << "a server may decline";
  const Result<Agreement> agreed = read_answer(packing, extension(both));
  ASSERT_TRUE(agreed) << agreed.error().message;
  ASSERT_TRUE(agreed->deflate);
  EXPECT_FALSE(agreed->deflate->keep_our_window || agreed->deflate->keep_peer_window);
}

TEST(WebSocketHandshake, windows_are_kept_where_both_sides_want_it) {
  const auto agreed = [](std::string_view value) {
    const Result<Agreement> agreement = read_answer(keeping, with("Sec-WebSocket-Extensions", value));
    return agreement ? *agreement->deflate : DeflateParameters{.our_window_bits = -1};
  };
  EXPECT_TRUE(agreed("permessage-deflate").keep_our_window);
  EXPECT_TRUE(agreed("permessage-deflate").keep_peer_window);
  EXPECT_FALSE(agreed("permessage-deflate; client_no_context_takeover").keep_our_window);
  EXPECT_FALSE(agreed("permessage-deflate;server_no_context_takeover").keep_peer_window);
  EXPECT_NE(refusal(packing, with("Sec-WebSocket-Extensions", "permessage-deflate")), "") << "asked not to keep it";
}

TEST(WebSocketHandshake, refuses_parameters_of_permessage_deflate_that_make_no_sense) {
  const auto refused = [](std::string_view parameters) {
    return !refusal(keeping, with("Sec-WebSocket-Extensions", "permessage-deflate; " + std::string(parameters)))
                .empty();
  };
  for (const auto* good :
       {"server_max_window_bits=8", "server_max_window_bits=\"15\"", "server_max_window_bits = 10"}) {
    EXPECT_FALSE(refused(good)) << good;
  }
  for (const auto* bad :
       {"server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=08",
        "server_max_window_bits=-9", "server_max_window_bits=", "server_max_window_bits=\"",
        "server_max_window_bits=1e1", "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits=10", "client_no_context_takeover=1",
        "client_no_context_takeover; client_no_context_takeover", "unknown", "=", ";"}) {
    EXPECT_TRUE(refused(bad)) << bad;
  }
}

TEST(WebSocketHandshake, writes_what_it_offers) {
  Headers headers{{"Sec-WebSocket-Extensions", "the caller's"}};
  write_offer(chatting, headers);
  EXPECT_EQ(headers.get("Sec-WebSocket-Version"), "13");
  EXPECT_EQ(headers.get("Sec-WebSocket-Key"), plain.key);
  EXPECT_EQ(headers.get("Sec-WebSocket-Protocol"), "chat.v2, chat");
  EXPECT_FALSE(headers.contains("Sec-WebSocket-Extensions")) << "off by default, and not the caller's to offer";
  write_offer(packing, headers);
  EXPECT_TRUE(headers.get("Sec-WebSocket-Extensions")->ends_with("server_no_context_takeover"));
}

TEST(WebSocketHandshake, refuses_subprotocols_that_are_no_tokens_or_come_twice) {
  EXPECT_TRUE(check_offer(chatting));
  EXPECT_FALSE(check_offer({.subprotocols = {"chat", "chat"}}));
  for (const auto* bad : {"", "a b", "a,b", "a\r\nb", "\"a\"", "\xC3\xA4"}) {
    EXPECT_FALSE(check_offer({.subprotocols = {bad}})) << bad;
  }
}

}  // namespace handshake_test
}  // namespace trunkline::websocket
