#include "http1/request_encoder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::http1 {
namespace {

std::string encoded(const RequestHead& head) {
  std::string buffer;
  const std::string once(encode_head(head, buffer));
  // What a target's requests have in common is only a shorter way to the same bytes.
  const std::string usual = usual_start(head.target, head.host, head.user_agent);
  RequestHead short_way = head;
  short_way.usual = usual;
  EXPECT_EQ(encode_head(short_way, buffer), once);
  return once;
}

bool is_refused(const Result<void>& result) {
  if (result) return false;
  EXPECT_EQ(result.error().code, ErrorCode::invalid_request);
  EXPECT_EQ(result.error().kind, ErrorKind::rejected);
  EXPECT_EQ(result.error().phase, Phase::prepare);
  EXPECT_EQ(result.error().maybe_processed, MaybeProcessed::no);
  for (const char c : result.error().message) EXPECT_TRUE(c >= ' ' && c < 0x7F) << result.error().message;
  EXPECT_EQ(result.error().message.find("secret"), std::string::npos) << result.error().message;
  return true;
}

bool refuses_field(std::string_view name, std::string_view value) {
  return is_refused(check_request("GET", "/", Headers{{name, value}}));
}

// Everything that can end a line or a word where the peer reads on: cpp-httplib CVE-2020-11709, undici CVE-2022-31150,
// Go CVE-2019-16276 and many more.
const std::vector<std::string> injections{"\r",   "\n",   "\r\n", std::string(1, '\0'), "\x01", "\x1F",
                                          "\x7F", "\x0B", "\x0C"};

TEST(Http1Request, writes_request_line_host_user_agent_the_callers_fields_then_ours) {
  const Headers headers{{"Accept", "*/*"}, {"X-Empty", ""}, {"accept", "again"}};
  RequestHead head{.method = "GET", .target = "/a?b", .host = "example.org:8080", .headers = &headers};
  head.user_agent = "trunkline/1";
  head.extra = "Proxy-Authorization: Basic eA==\r\n";
  EXPECT_EQ(encoded(head),
            "GET /a?b HTTP/1.1\r\nHost: example.org:8080\r\nUser-Agent: trunkline/1\r\nAccept: */*\r\nX-Empty: \r\n"
            "accept: again\r\nProxy-Authorization: Basic eA==\r\n\r\n");
}

TEST(Http1Request, uses_a_buffer_again) {
  std::string buffer;
  const std::string long_target(5000, 'x');
  EXPECT_EQ(encode_head({.method = "GET", .target = long_target, .host = "h"}, buffer),
            "GET " + long_target + " HTTP/1.1\r\nHost: h\r\n\r\n");
  const void* const memory = buffer.data();
  EXPECT_EQ(encode_head({.method = "OPTIONS", .target = "*", .host = "h"}, buffer),
            "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(buffer.data(), memory);
}

TEST(Http1Request, writes_the_callers_host_and_user_agent_once_and_in_their_place) {
  const Headers headers{{"X", "1"}, {"user-agent", "mine"}, {"HOST", "other:1"}};
  RequestHead head{.method = "GET", .target = "/", .host = "h", .headers = &headers, .user_agent = "ours"};
  EXPECT_EQ(encoded(head), "GET / HTTP/1.1\r\nHost: other:1\r\nX: 1\r\nuser-agent: mine\r\n\r\n");
}

TEST(Http1Request, frames_the_body_by_what_will_be_sent) {
  RequestHead head{.method = "POST", .target = "/", .host = "h"};
  EXPECT_EQ(encoded(head), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n") << "a POST always says";
  head.has_body = true;
  EXPECT_EQ(encoded(head), "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  head.content_length = UINT64_MAX;
  EXPECT_EQ(encoded(head), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n");
  head.method = "GET";
  head.content_length = 0;
  EXPECT_EQ(encoded(head), "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n") << "an empty body is a body";
}

TEST(Http1Request, does_not_write_the_callers_content_length_twice) {
  const Headers headers{{"content-length", "3"}};
  RequestHead head{.method = "PUT", .target = "/", .host = "h", .headers = &headers, .has_body = true};
  head.content_length = 3;
  EXPECT_EQ(encoded(head), "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
}

TEST(Http1Request, asks_for_100_continue_once) {
  RequestHead head{.method = "PUT", .target = "/", .host = "h", .expect_continue = true, .has_body = true};
  head.content_length = 3;
  EXPECT_EQ(encoded(head), "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  const Headers headers{{"expect", "100-continue"}};
  head.headers = &headers;
  EXPECT_EQ(encoded(head), "PUT / HTTP/1.1\r\nHost: h\r\nexpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
}

TEST(Http1Request, sends_upgrade_only_when_one_is_asked_for) {
  const Headers headers{{"Upgrade", "websocket"}};
  RequestHead head{.method = "GET", .target = "/", .host = "h", .headers = &headers};
  EXPECT_EQ(encoded(head), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  head.upgrade = true;
  EXPECT_EQ(encoded(head), "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  const Headers both{{"Connection", "keep-alive"}, {"Upgrade", "websocket"}};
  head.headers = &both;
  EXPECT_EQ(encoded(head),
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const Headers own{{"connection", "upgrade"}, {"Upgrade", "websocket"}};
  head.headers = &own;
  EXPECT_EQ(encoded(head), "GET / HTTP/1.1\r\nHost: h\r\nconnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST(Http1Request, accepts_ordinary_requests) {
  const Headers headers{{"Host", "example.org:8080"},
                        {"Accept", "a\tb \xC3\xA4"},
                        {"Connection", "close"},
                        {"Content-Length", "0"},
                        {"X_y.z!#$%&'*+^`|~", ""}};
  EXPECT_TRUE(check_request("GET", "/a?b=%20\"{}|", headers));
  EXPECT_TRUE(check_request("M-SEARCH", "*", {}));
  EXPECT_TRUE(check_request("CONNECT", "[::1]:443", {}));
  EXPECT_TRUE(check_request("GET", "http://example.org/", {}));
}

TEST(Http1Request, refuses_control_characters_in_the_method) {
  for (const std::string& bad : injections) EXPECT_TRUE(is_refused(check_request("GET" + bad, "/", {}))) << bad;
  for (const std::string_view method : {"", "GET /", " GET", "G\xC3\xA4T", "GET\t", "A:B", "(x)", "a,b"}) {
    EXPECT_TRUE(is_refused(check_request(method, "/", {}))) << method;
  }
}

TEST(Http1Request, refuses_control_characters_and_spaces_in_the_target) {
  for (const std::string& bad : injections)
    EXPECT_TRUE(is_refused(check_request("GET", "/secret" + bad + "x", {}))) << bad;
  for (const std::string_view target : {"", " /", "/a b", "/\t", "/\xC3\xA4", "/#part"}) {
    EXPECT_TRUE(is_refused(check_request("GET", target, {}))) << target;
  }
}

TEST(Http1Request, refuses_control_characters_in_field_names) {
  for (const std::string& bad : injections) EXPECT_TRUE(refuses_field("X" + bad, "1")) << bad;
  for (const std::string_view name : {"", "X ", " X", "X:", "X\t", "X\xC3\xA4", "X(", "X\"", "X{"}) {
    EXPECT_TRUE(refuses_field(name, "1")) << name;
  }
}

TEST(Http1Request, refuses_control_characters_in_field_values) {
  for (const std::string_view name : {"X", "Host", "Upgrade", "Cookie", "User-Agent", "Authorization"}) {
    for (const std::string& bad : injections) {
      EXPECT_TRUE(refuses_field(name, "secret" + bad + "x")) << name << bad;
      EXPECT_TRUE(refuses_field(name, bad)) << name << bad;
      EXPECT_TRUE(refuses_field(name, "secret-longer-than-eight" + bad)) << name << bad;
    }
  }
}

TEST(Http1Request, refuses_fields_that_the_transport_owns) {
  for (const std::string_view name : {"Transfer-Encoding", "transfer-encoding", "TE", "Trailer", "Keep-Alive",
                                      "Proxy-Connection", "Proxy-Authorization", "HTTP2-Settings"}) {
    EXPECT_TRUE(refuses_field(name, "chunked")) << name;
    EXPECT_TRUE(is_refused(check_framing(Headers{{name, "chunked"}}, true, 3, false))) << name;
  }
}

TEST(Http1Request, refuses_hosts_that_can_be_read_in_two_ways) {
  for (const std::string_view host : {"",     " h",   "h ",     "a b",    "a/b",      "u@h",     "a,b", "a#",
                                      "a?",   "a\\b", "h:",     "h:x",    "h:123456", "h:1:2",   "::1", "[::1",
                                      "::1]", "[]",   "[::1]x", "[::1][", "[[::1]]",  "\xC3\xA4"}) {
    EXPECT_TRUE(refuses_field("Host", host)) << host;
  }
  for (const std::string_view host : {"h", "H.example", "h:1", "[::1]", "[::1]:65535", "a_b-c.d", "127.0.0.1:80"}) {
    EXPECT_FALSE(refuses_field("Host", host)) << host;
  }
  EXPECT_TRUE(is_refused(check_request("GET", "/", Headers{{"Host", "a"}, {"host", "a"}})));
}

TEST(Http1Request, refuses_connection_options_that_would_hide_fields) {
  EXPECT_TRUE(refuses_field("Connection", "X-Forwarded-For"));
  EXPECT_TRUE(refuses_field("Connection", "close, te"));
  EXPECT_TRUE(refuses_field("Connection", "close;q=1"));
  EXPECT_FALSE(refuses_field("Connection", "Close, Keep-Alive"));
}

// undici CVE-2026-1525
TEST(Http1Request, refuses_a_second_content_length_from_the_caller) {
  const Headers twice{{"Content-Length", "3"}, {"content-length", "3"}};
  EXPECT_TRUE(is_refused(check_request("POST", "/", twice)));
  EXPECT_TRUE(is_refused(check_framing(twice, true, 3, false)));
  for (const std::string_view value : {"", "+1", "-1", "0x1", "1,1", " 1", "1 ", "18446744073709551616"}) {
    EXPECT_TRUE(refuses_field("Content-Length", value)) << value;
  }
}

TEST(Http1Request, refuses_a_content_length_that_does_not_agree_with_the_body) {
  const Headers three{{"Content-Length", "3"}};
  EXPECT_TRUE(check_framing(three, true, 3, false));
  EXPECT_TRUE(is_refused(check_framing(three, true, 4, false)));
  EXPECT_TRUE(is_refused(check_framing(three, true, std::nullopt, false))) << "would be chunked";
  EXPECT_TRUE(is_refused(check_framing(three, false, std::nullopt, false)));
  EXPECT_TRUE(check_framing(Headers{{"Content-Length", "0"}}, false, std::nullopt, false));
}

TEST(Http1Request, refuses_upgrade_fields_without_an_upgrade_and_the_reverse) {
  EXPECT_TRUE(is_refused(check_framing(Headers{{"Upgrade", "h2c"}}, false, std::nullopt, false)));
  EXPECT_TRUE(is_refused(check_framing(Headers{{"Connection", "upgrade"}}, false, std::nullopt, false)));
  EXPECT_TRUE(is_refused(check_framing({}, false, std::nullopt, true)));
  EXPECT_TRUE(
      is_refused(check_framing(Headers{{"Upgrade", "websocket"}, {"Connection", "close"}}, false, std::nullopt, true)));
  EXPECT_TRUE(check_framing(Headers{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}}, false, std::nullopt, true));
}

TEST(Http1Request, refuses_expectations_it_cannot_keep) {
  EXPECT_TRUE(check_framing(Headers{{"Expect", "100-Continue"}}, true, 3, false));
  EXPECT_TRUE(is_refused(check_framing(Headers{{"Expect", "100-continue"}}, false, std::nullopt, false)));
  EXPECT_TRUE(is_refused(check_framing(Headers{{"Expect", "other"}}, true, 3, false)));
}

TEST(Http1Request, writes_chunks_and_the_end_of_a_chunked_body) {
  std::string out;
  encode_chunk_prefix(1, out);
  encode_chunk_prefix(65536, out);
  encode_chunk_prefix(SIZE_MAX, out);
  EXPECT_EQ(out, "1\r\n10000\r\nffffffffffffffff\r\n");
  out.clear();
  EXPECT_TRUE(encode_last_chunk({}, out));
  EXPECT_EQ(out, "0\r\n\r\n");
  out.clear();
  EXPECT_TRUE(encode_last_chunk(Headers{{"X-Sum", "7"}, {"B", ""}}, out));
  EXPECT_EQ(out, "0\r\nX-Sum: 7\r\nB: \r\n\r\n");
}

TEST(Http1Request, refuses_trailers_that_inject_frame_or_route_and_writes_nothing) {
  std::string out;
  for (const std::string& bad : injections) {
    EXPECT_TRUE(is_refused(encode_last_chunk(Headers{{"A", "1"}, {"X" + bad, "1"}}, out))) << bad;
    EXPECT_TRUE(is_refused(encode_last_chunk(Headers{{"A", "1"}, {"X", "secret" + bad}}, out))) << bad;
  }
  for (const std::string_view name : {"Content-Length", "Transfer-Encoding", "Host", "Connection", "TE", "Trailer",
                                      "Authorization", "Proxy-Authorization", "Content-Type", "Expect", "Cookie"}) {
    EXPECT_TRUE(is_refused(encode_last_chunk(Headers{{name, "1"}}, out))) << name;
  }
  EXPECT_EQ(out, "");
}

TEST(Http1Request, names_the_field_it_refuses_escaped_and_cut) {
  const auto result = check_request("GET", "/", Headers{{"X\x1B[31m" + std::string(100, 'y'), "v"}});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("X\\x1b[31m"), std::string::npos) << result.error().message;
  EXPECT_LT(result.error().message.size(), 200U);
}

TEST(Http1Request, knows_field_values) {
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("a\tb \xFF"));
  for (int byte = 0; byte < 256; ++byte) {
    const bool control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
    for (std::size_t at = 0; at < 20; ++at) {
      std::string value(20, 'a');
      value[at] = static_cast<char>(byte);
      EXPECT_EQ(is_field_value(value), !control) << byte << " at " << at;
    }
  }
}

}  // namespace
}  // namespace trunkline::http1
