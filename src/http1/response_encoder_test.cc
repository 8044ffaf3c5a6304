#include "http1/response_encoder.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http1/decoder_transcript.h"

namespace trunkline::http1 {
namespace response_encoder_test {

using Body = ResponseFraming::Body;

struct Made {
  std::string bytes;
  ResponseFraming framing;
};

Made encoded(const OutgoingResponse& response, const ResponseContext& context = {}) {
  Made made;
  const auto framing = encode_response(response, context, made.bytes);
  EXPECT_TRUE(framing) << framing.error().message;
  if (framing) made.framing = *framing;
  return made;
}

std::string refusal(const OutgoingResponse& response, const ResponseContext& context = {}) {
  std::string out = "before";
  const auto framing = encode_response(response, context, out);
  EXPECT_EQ(out, "before") << "a refused response leaves nothing behind";
  return framing ? "not refused" : framing.error().message;
}

TEST(Http1ResponseEncoder, writes_a_response_of_known_length) {
  const Headers headers{{"Content-Type", "text/plain"}};
  const auto made = encoded({.status = 200,
                             .headers = &headers,
                             .date = "Sun, 06 Nov 1994 08:49:37 GMT",
                             .server = "t",
                             .has_body = true,
                             .content_length = 5});
  EXPECT_EQ(made.bytes,
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: t\r\nContent-Type: text/plain\r\n"
            "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(made.framing.body, Body::length);
  EXPECT_TRUE(made.framing.keep_alive);
}

TEST(Http1ResponseEncoder, appends_behind_what_is_there) {
  std::string out = "before";
  EXPECT_TRUE(encode_response({.status = 404}, {}, out));
  EXPECT_EQ(out, "beforeHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

TEST(Http1ResponseEncoder, leaves_the_reason_empty_where_there_is_none) {
  EXPECT_EQ(encoded({.status = 299}).bytes, "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
}

TEST(Http1ResponseEncoder, frames_a_body_of_unknown_length_by_the_version_of_the_request) {
  auto made = encoded({.has_body = true});
  EXPECT_EQ(made.bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(made.framing.body, Body::chunked);
  made = encoded({.has_body = true}, {.minor_version = 0});
  EXPECT_EQ(made.bytes, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(made.framing.body, Body::until_close);
  EXPECT_FALSE(made.framing.keep_alive);
}

TEST(Http1ResponseEncoder, says_whether_the_connection_stays) {
  const std::string end = "Content-Length: 0\r\n\r\n";
  EXPECT_EQ(encoded({}, {.keep_alive = false}).bytes, "HTTP/1.1 200 OK\r\nConnection: close\r\n" + end);
  EXPECT_EQ(encoded({}, {.minor_version = 0}).bytes, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n" + end);
  const Headers close{{"connection", "Close"}};
  const auto made = encoded({.headers = &close});
  EXPECT_EQ(made.bytes, "HTTP/1.1 200 OK\r\nConnection: close\r\n" + end);
  EXPECT_FALSE(made.framing.keep_alive);
  const Headers keep{{"Connection", "keep-alive"}};
  EXPECT_EQ(encoded({.headers = &keep}).bytes, "HTTP/1.1 200 OK\r\n" + end);
}

TEST(Http1ResponseEncoder, answers_head_with_the_fields_of_a_get_and_no_body) {
  auto made = encoded({.has_body = true, .content_length = 5}, {.is_head = true});
  EXPECT_EQ(made.bytes, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(made.framing.body, Body::none);
  made = encoded({.content_length = 7}, {.is_head = true});
  EXPECT_EQ(made.bytes, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  made = encoded({.has_body = true}, {.is_head = true});
  EXPECT_EQ(made.bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(made.framing.body, Body::none);
  made = encoded({.has_body = true}, {.minor_version = 0, .is_head = true});
  EXPECT_EQ(made.bytes, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(made.framing.keep_alive);
  // No body that would tell what it is, so nothing may be guessed.
  EXPECT_EQ(encoded({}, {.is_head = true}).bytes, "HTTP/1.1 200 OK\r\n\r\n");
}

TEST(Http1ResponseEncoder, has_no_body_with_204_and_304) {
  EXPECT_EQ(encoded({.status = 204}).bytes, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(encoded({.status = 304}).bytes, "HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_EQ(encoded({.status = 304, .content_length = 5}).bytes,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
  EXPECT_NE(refusal({.status = 204, .has_body = true, .content_length = 0}), "not refused");
  EXPECT_NE(refusal({.status = 304, .has_body = true}), "not refused");
  EXPECT_NE(refusal({.status = 204, .content_length = 0}), "not refused");
  const Headers length{{"Content-Length", "0"}};
  EXPECT_NE(refusal({.status = 204, .headers = &length}), "not refused");
}

TEST(Http1ResponseEncoder, takes_a_length_that_agrees_and_writes_it_once) {
  const Headers five{{"content-length", "5"}};
  EXPECT_EQ(encoded({.headers = &five, .has_body = true, .content_length = 5}).bytes,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(encoded({.headers = &five}, {.is_head = true}).bytes, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_NE(refusal({.headers = &five, .has_body = true, .content_length = 4}), "not refused");
  EXPECT_NE(refusal({.headers = &five, .has_body = true}), "not refused");
  EXPECT_NE(refusal({.headers = &five}), "not refused");
  EXPECT_NE(refusal({.content_length = 5}), "not refused");
  const Headers twice{{"Content-Length", "5"}, {"Content-Length", "5"}};
  EXPECT_NE(refusal({.headers = &twice, .has_body = true, .content_length = 5}), "not refused");
  const Headers wrong{{"Content-Length", "+5"}};
  EXPECT_NE(refusal({.headers = &wrong, .has_body = true, .content_length = 5}), "not refused");
}

TEST(Http1ResponseEncoder, refuses_what_would_split_it) {
  using namespace std::string_view_literals;
  for (const std::string_view value : {"a\r\nX: b"sv, "a\nb"sv, "a\rb"sv, "a\0b"sv, "\x01"sv, "\x7F"sv}) {
    const Headers headers{{"X-Secret", value}};
    const std::string message = refusal({.headers = &headers});
    EXPECT_EQ(message, "the response was refused: the field \"X-Secret\" has a value with a control character");
    EXPECT_NE(refusal({.date = value}), "not refused");
    EXPECT_NE(refusal({.server = value}), "not refused");
  }
  for (const std::string_view name : {""sv, "X:"sv, "X "sv, "X\r\nY"sv, "\xC3\xA9"sv}) {
    const Headers headers{{name, "a"}};
    EXPECT_NE(refusal({.headers = &headers}), "not refused") << name;
  }
}

TEST(Http1ResponseEncoder, refuses_fields_that_are_the_connections) {
  for (const std::string_view name : {"Transfer-Encoding", "keep-alive", "Proxy-Connection"}) {
    const Headers headers{{name, "chunked"}};
    EXPECT_NE(refusal({.headers = &headers}), "not refused") << name;
  }
  const Headers options{{"Connection", "close, X-Secret"}};
  EXPECT_NE(refusal({.headers = &options}), "not refused");
}

TEST(Http1ResponseEncoder, refuses_a_status_that_is_not_final) {
  for (const int status : {0, 99, 100, 101, 199, 600, -200}) EXPECT_NE(refusal({.status = status}), "not refused");
}

TEST(Http1ResponseEncoder, lets_the_caller_set_date_and_server) {
  const Headers headers{{"Date", "then"}, {"Server", "mine"}};
  EXPECT_EQ(encoded({.headers = &headers, .date = "now", .server = "ours"}).bytes,
            "HTTP/1.1 200 OK\r\nDate: then\r\nServer: mine\r\nContent-Length: 0\r\n\r\n");
}

TEST(Http1ResponseEncoder, lists_an_upgrade_that_it_demands) {
  const Headers headers{{"Upgrade", "websocket"}};
  EXPECT_EQ(encoded({.status = 426, .headers = &headers}).bytes,
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n");
  EXPECT_NE(encoded({.status = 426, .headers = &headers}, {.keep_alive = false}).bytes.find("upgrade, close"),
            std::string::npos);
}

TEST(Http1ResponseEncoder, writes_interim_responses) {
  std::string out;
  EXPECT_TRUE(encode_interim(100, {}, out));
  EXPECT_TRUE(encode_interim(103, {{"Link", "</a>; rel=preload"}}, out));
  EXPECT_EQ(out, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n");
  const std::string before = out;
  EXPECT_FALSE(encode_interim(101, {}, out));
  EXPECT_FALSE(encode_interim(200, {}, out));
  EXPECT_FALSE(encode_interim(103, {{"Content-Length", "1"}}, out));
  EXPECT_FALSE(encode_interim(103, {{"X", "a\r\nb"}}, out));
  EXPECT_EQ(out, before);
}

TEST(Http1ResponseEncoder, switches_protocols) {
  std::string out;
  EXPECT_TRUE(encode_switch("websocket", {{"Sec-WebSocket-Accept", "x"}}, "now", out));
  EXPECT_EQ(out,
            "HTTP/1.1 101 Switching Protocols\r\nDate: now\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: x\r\n\r\n");
  EXPECT_FALSE(encode_switch("web\r\nsocket", {}, "now", out));
  EXPECT_FALSE(encode_switch("websocket", {{"Connection", "close"}}, "now", out));
  EXPECT_FALSE(encode_switch("websocket", {}, "now\r\nX: y", out));
}

// What we write, our own client reads as it was meant.
TEST(Http1ResponseEncoder, is_read_by_the_clients_decoder) {
  const Headers headers{{"X", "y"}};
  EXPECT_EQ(transcript({encoded({.headers = &headers, .has_body = true, .content_length = 2}).bytes + "hi"}),
            "head 200 OK [X=y] [Content-Length=2] length 2; data hi; end reusable");
  EXPECT_EQ(transcript({encoded({.has_body = true}).bytes + "2\r\nhi\r\n0\r\n\r\n"}),
            "head 200 OK [Transfer-Encoding=chunked] chunked; data hi; end reusable");
  EXPECT_EQ(transcript({encoded({.status = 204}, {.keep_alive = false}).bytes}),
            "head 204 No Content [Connection=close]; end");
  EXPECT_EQ(transcript({encoded({.has_body = true, .content_length = 2}, {.is_head = true}).bytes},
                       {.request = {.head = true}}),
            "head 200 OK [Content-Length=2]; end reusable");
}

}  // namespace response_encoder_test
}  // namespace trunkline::http1
