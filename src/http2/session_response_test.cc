// What responses may look like, and that a malformed one ends its own stream and nothing else.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

using Fields = Encoder::Fields;

std::string listed(const Headers& headers) {
  std::string out;
  for (const auto field : headers) out += std::string(field.name) + "=" + std::string(field.value) + ";";
  return out;
}

TEST(Http2Response, arrives_with_fields_body_and_trailers) {
  Client client;
  const Exchange& get = client.get();
  client.hears(client.hpack.headers(get.id(), {{":status", "200"}, {"content-type", "a/b"}, {"x", ""}}));
  EXPECT_EQ(get.story, "response 200");
  EXPECT_EQ(listed(get.fields), "content-type=a/b;x=;");
  client.hears(data(get.id(), "hello ") + data(get.id(), "world"));
  client.hears(client.hpack.headers(get.id(), {{"checksum", "1"}}, end_stream));
  EXPECT_EQ(get.received, "hello world");
  EXPECT_EQ(listed(get.fields), "checksum=1;");
  EXPECT_EQ(get.story, "response 200; trailers; end; closed complete NO_ERROR");
  EXPECT_EQ(client.session.open_streams(), 0);
}

TEST(Http2Response, is_the_same_cut_at_every_byte) {
  std::string bytes;
  {
    Encoder hpack;
    const std::string block = hpack.block({{":status", "200"}, {"content-length", "5"}, {"set-cookie", "a=b"}});
    bytes = frame(FrameType::headers, 0, 1, block.substr(0, 3)) +
            frame(FrameType::continuation, 0, 1, block.substr(3, 1)) +
            frame(FrameType::continuation, end_headers, 1, block.substr(4)) + ping() + data(1, "hel") +
            padded_data(1, "lo", 9);
    bytes += hpack.headers(1, {{"t", "1"}}, end_stream);
  }
  for (std::size_t piece = 1; piece < bytes.size(); ++piece) {
    Client client;
    const Exchange& get = client.get();
    for (std::size_t at = 0; at < bytes.size(); at += piece) ASSERT_TRUE(client.hears(bytes.substr(at, piece)));
    EXPECT_EQ(get.received, "hello") << piece;
    EXPECT_EQ(get.story, "response 200 of 5; trailers; end; closed complete NO_ERROR") << piece;
    EXPECT_EQ(count(client.sends(), FrameType::ping), 1U) << piece;
  }
}

TEST(Http2Response, interleaves_with_others) {
  Client client;
  const Exchange& one = client.get();
  const Exchange& two = client.get();
  client.hears(client.hpack.ok(two.id()) + client.hpack.ok(one.id()) + data(one.id(), "1") + data(two.id(), "2") +
               data(one.id(), "1", end_stream) + data(two.id(), "2", end_stream));
  EXPECT_EQ(one.received, "11");
  EXPECT_EQ(two.received, "22");
}

TEST(Http2Response, has_no_body_without_one) {
  for (const char* status : {"200", "204", "304"}) {
    Client client;
    const Exchange& get = client.get();
    client.hears(client.hpack.headers(get.id(), {{":status", status}}, end_stream));
    EXPECT_EQ(get.story, "response " + std::string(status) + " without body; end; closed complete NO_ERROR");
  }
}

TEST(Http2Response, to_head_may_name_a_length_and_has_no_body) {
  Client client;
  const Exchange& head = client.get("HEAD");
  client.hears(client.hpack.headers(head.id(), {{":status", "200"}, {"content-length", "5"}}, end_stream));
  EXPECT_EQ(head.story, "response 200 of 5 without body; end; closed complete NO_ERROR");

  const Exchange& with_body = client.get("HEAD");
  client.hears(client.hpack.headers(with_body.id(), {{":status", "200"}, {"content-length", "5"}}));
  client.hears(data(with_body.id(), "hello", end_stream));
  client.sends();
  EXPECT_EQ(with_body.story, "response 200 of 5; closed malformed PROTOCOL_ERROR");
}

TEST(Http2Response, of_204_and_304_has_no_body) {
  for (const char* status : {"204", "304"}) {
    Client client;
    const Exchange& get = client.get();
    client.hears(client.hpack.headers(get.id(), {{":status", status}}) + data(get.id(), "x", end_stream));
    client.sends();
    EXPECT_EQ(get.ended.by, StreamEnd::malformed) << status;
    EXPECT_EQ(get.received, "");
  }
}

TEST(Http2Response, comes_after_informational_ones_up_to_the_limit) {
  Client client(Limits{.informational = 2});
  const Exchange& get = client.get();
  client.hears(join({client.hpack.headers(get.id(), {{":status", "100"}}),
                     client.hpack.headers(get.id(), {{":status", "103"}, {"link", "x"}})}));
  client.hears(client.hpack.headers(get.id(), {{":status", "200"}, {"a", "b"}}, end_stream));
  EXPECT_EQ(get.story,
            "informational 100; informational 103; response 200 without body; end; closed complete NO_ERROR");
  EXPECT_EQ(listed(get.fields), "a=b;") << "none of an informational one";

  const Exchange& more = client.get();
  for (int i = 0; i < 3; ++i) client.hears(client.hpack.headers(more.id(), {{":status", "103"}}));
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "ENHANCE_YOUR_CALM");
  EXPECT_EQ(more.story, "informational 103; informational 103; closed malformed ENHANCE_YOUR_CALM over limit");
  EXPECT_FALSE(client.session.failed());
}

TEST(Http2Response, that_is_malformed_ends_its_stream_only) {
  const std::vector<std::pair<const char*, Fields>> cases{
      {"no status", {{"a", "b"}}},
      {"two of them", {{":status", "200"}, {":status", "200"}}},
      {"late", {{"a", "b"}, {":status", "200"}}},
      {"not a number", {{":status", "2x0"}}},
      {"too short", {{":status", "20"}}},
      {"below 100", {{":status", "099"}}},
      {"switching protocols", {{":status", "101"}}},
      {"another pseudo-header", {{":status", "200"}, {":path", "/"}}},
      {"capitals", {{":status", "200"}, {"Content-Type", "x"}}},
      {"an empty name", {{":status", "200"}, {"", "x"}}},
      {"a space in a name", {{":status", "200"}, {"a b", "x"}}},
      {"CR LF in a value", {{":status", "200"}, {"a", "x\r\nb: y"}}},
      {"NUL in a value", {{":status", "200"}, {"a", std::string("x\0y", 3)}}},
      {"a space before a value", {{":status", "200"}, {"a", " x"}}},
      {"Connection", {{":status", "200"}, {"connection", "close"}}},
      {"Transfer-Encoding", {{":status", "200"}, {"transfer-encoding", "chunked"}}},
      {"Upgrade", {{":status", "200"}, {"upgrade", "h2c"}}},
      {"Keep-Alive", {{":status", "200"}, {"keep-alive", "timeout=5"}}},
      {"Proxy-Connection", {{":status", "200"}, {"proxy-connection", "close"}}},
      {"two lengths", {{":status", "200"}, {"content-length", "5"}, {"content-length", "5"}}},
      {"a length of no number", {{":status", "200"}, {"content-length", "+5"}}},
      {"a length of 204", {{":status", "204"}, {"content-length", "5"}}},
      {"a length of 100", {{":status", "100"}, {"content-length", "5"}}},
  };
  for (const auto& [what, fields] : cases) {
    Client client;
    const Exchange& bad = client.get();
    const Exchange& good = client.get();
    EXPECT_TRUE(client.hears(client.hpack.headers(bad.id(), fields))) << what;
    EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "PROTOCOL_ERROR") << what;
    EXPECT_EQ(bad.story, "closed malformed PROTOCOL_ERROR") << what;
    client.hears(client.hpack.ok(good.id(), end_stream));
    EXPECT_EQ(good.ended.by, StreamEnd::complete) << what;
  }
}

TEST(Http2Response, must_be_as_long_as_it_says) {
  const std::vector<std::pair<const char*, std::string>> cases{
      {"shorter", data(1, "hell", end_stream)},
      {"longer", data(1, "hello!", end_stream)},
      {"longer in pieces", data(1, "hello") + data(1, "!")},
      {"none", data(1, "", end_stream)},
  };
  for (const auto& [what, body] : cases) {
    Client client;
    const Exchange& get = client.get();
    client.hears(client.hpack.headers(get.id(), {{":status", "200"}, {"content-length", "5"}}) + body);
    EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "PROTOCOL_ERROR") << what;
    EXPECT_EQ(get.story, "response 200 of 5; closed malformed PROTOCOL_ERROR") << what;
    EXPECT_FALSE(client.session.failed()) << what;
  }
}

TEST(Http2Response, ends_only_with_its_final_head) {
  Client client;
  const Exchange& get = client.get();
  client.hears(client.hpack.headers(get.id(), {{":status", "103"}}, end_stream));
  client.sends();
  EXPECT_EQ(get.story, "closed malformed PROTOCOL_ERROR");
  const Exchange& early = client.get();
  client.hears(client.hpack.headers(early.id(), {{":status", "103"}}) + data(early.id(), "x"));
  client.sends();
  EXPECT_EQ(early.ended.by, StreamEnd::malformed);
}

TEST(Http2Response, has_trailers_only_at_its_end_and_without_pseudo_headers) {
  Client client;
  const Exchange& open = client.get();
  client.hears(join({client.hpack.ok(open.id()), client.hpack.headers(open.id(), {{"a", "b"}})}));
  client.sends();
  EXPECT_EQ(open.story, "response 200; closed malformed PROTOCOL_ERROR");
  const Exchange& pseudo = client.get();
  client.hears(join({client.hpack.ok(pseudo.id()), client.hpack.ok(pseudo.id(), end_stream)}));
  client.sends();
  EXPECT_EQ(pseudo.story, "response 200; closed malformed PROTOCOL_ERROR");
}

TEST(Http2Response, has_fields_up_to_a_limit_over_all_its_heads) {
  // ":status" "200" counts 42, "a" with 25 bytes 58: together 100.
  const Fields head{{":status", "200"}, {"a", std::string(25, 'x')}};
  const Fields trailers{{"b", std::string(25, 'x')}};
  Client fits(Limits{.header_bytes = 158});
  const Exchange& fitting = fits.get();
  fits.hears(fits.hpack.headers(fitting.id(), head));
  fits.hears(fits.hpack.headers(fitting.id(), trailers, end_stream));
  EXPECT_EQ(fitting.story, "response 200; trailers; end; closed complete NO_ERROR");

  Client client(Limits{.header_bytes = 157});
  const Exchange& get = client.get();
  client.hears(client.hpack.headers(get.id(), head));
  EXPECT_EQ(get.story, "response 200");
  client.hears(client.hpack.headers(get.id(), trailers, end_stream));
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "ENHANCE_YOUR_CALM");
  EXPECT_EQ(get.story, "response 200; closed malformed ENHANCE_YOUR_CALM over limit");

  Client counting(Limits{.header_count = 3});
  const Exchange& few = counting.get();
  counting.hears(counting.hpack.headers(few.id(), {{":status", "200"}, {"a", ""}, {"b", ""}}, end_stream));
  EXPECT_EQ(few.ended.by, StreamEnd::complete);
  const Exchange& many = counting.get();
  counting.hears(counting.hpack.headers(many.id(), {{":status", "200"}, {"a", ""}, {"b", ""}, {"c", ""}}, end_stream));
  counting.sends();
  EXPECT_TRUE(many.ended.over_limit);
}

TEST(Http2Response, does_not_unpack_a_bomb) {
  // One large field in the table, and then one byte for each time it is meant.
  Client client;
  const Exchange& bomb = client.get();
  const Exchange& good = client.get();
  std::string block = client.hpack.block({{":status", "200"}, {"x-bomb", std::string(2900, 'b')}});
  block += std::string(16 * 1024 - block.size(), '\xBE');  // index 62: the newest of the table
  EXPECT_TRUE(client.hears(frame(FrameType::headers, end_headers, bomb.id(), block)));
  client.sends();
  EXPECT_EQ(bomb.story, "closed malformed ENHANCE_YOUR_CALM over limit");
  // The table is still in step with the peer's.
  client.hears(client.hpack.headers(good.id(), {{":status", "200"}, {"x-bomb", std::string(2900, 'b')}}, end_stream));
  EXPECT_EQ(good.fields.get("x-bomb")->size(), 2900U);
}

TEST(Http2Response, of_broken_compression_ends_the_connection) {
  const std::vector<std::pair<const char*, std::string>> cases{
      {"index 0", "\x80"},
      {"an index beyond the table", "\xFF\x80\x01"},
      {"an integer without end", std::string("\xFF") + std::string(20, '\xFF')},
      {"a table larger than allowed", "\x3F\xE2\x1F"},
      {"a table size after a field", "\x88\x20"},
      {"Huffman code of EOS", std::string("\x00\x84\xFF\xFF\xFF\xFF\x00", 7)},
      {"Huffman padding of zeros", std::string("\x00\x81\x00\x00", 4)},
      {"a string cut short", std::string("\x00\x05"
                                         "ab",
                                         4)},
  };
  for (const auto& [what, block] : cases) {
    Client client;
    Exchange& get = client.get();
    EXPECT_FALSE(client.hears(frame(FrameType::headers, end_headers | end_stream, get.id(), block))) << what;
    EXPECT_EQ(client.session.failure_code(), Code::compression_error) << what;
    EXPECT_EQ(only_code(client.sends(), FrameType::goaway), "COMPRESSION_ERROR") << what;
  }
}

}  // namespace
}  // namespace trunkline::http2
