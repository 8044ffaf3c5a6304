#include "http2/request.h"

#include <gtest/gtest.h>

#include <string>

#include "http2/request_fields.h"
#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

std::string written(const RequestHead& head) {
  std::string out;
  for (const nghttp2_nv& each : request_fields(head)) {
    // As nghttp2 sends it: with small letters.
    for (std::size_t i = 0; i < each.namelen; ++i) out += static_cast<char>(std::tolower(each.name[i]));
    out += "=";
    out.append(reinterpret_cast<const char*>(each.value), each.valuelen);
    out += (each.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0 ? "!;" : ";";
  }
  return out;
}

RequestHead head_with(const Headers& headers) {
  return {.method = "GET", .scheme = "https", .authority = "a.test", .path = "/x", .headers = &headers};
}

std::string refusal(const Headers& headers) {
  const auto result = check_request(headers);
  return result ? "" : result.error().message;
}

TEST(Http2Request, puts_pseudo_headers_first) {
  RequestHead head{.method = "GET", .scheme = "https", .authority = "a.test", .path = "/x"};
  head.user_agent = "ours";
  EXPECT_EQ(written(head), ":method=GET;:scheme=https;:authority=a.test;:path=/x;user-agent=ours;");
}

TEST(Http2Request, makes_host_the_authority_and_leaves_connection_options_out) {
  const Headers headers{{"Accept", "*/*"}, {"Host", "b.test:81"}, {"Connection", "keep-alive"}, {"Keep-Alive", "x"}};
  EXPECT_EQ(written(head_with(headers)), ":method=GET;:scheme=https;:authority=b.test:81;:path=/x;accept=*/*;");
}

TEST(Http2Request, keeps_the_callers_own_fields_over_ours) {
  const Headers headers{{"User-Agent", "theirs"}, {"Expect", "100-continue"}, {"Content-Length", "5"}};
  RequestHead head = head_with(headers);
  head.user_agent = "ours";
  head.expect_continue = true;
  head.content_length = 5;
  EXPECT_EQ(written(head),
            ":method=GET;:scheme=https;:authority=a.test;:path=/x;"
            "user-agent=theirs;expect=100-continue;content-length=5;");
  const Headers none;
  head.headers = &none;
  EXPECT_EQ(written(head),
            ":method=GET;:scheme=https;:authority=a.test;:path=/x;"
            "user-agent=ours;expect=100-continue;content-length=5;");
}

TEST(Http2Request, names_no_scheme_and_no_path_with_connect) {
  EXPECT_EQ(written({.method = "CONNECT", .authority = "a.test:443"}), ":method=CONNECT;:authority=a.test:443;");
}

TEST(Http2Request, keeps_secrets_out_of_the_compression_table) {
  const Headers headers{{"Authorization", "Bearer x"},
                        {"Cookie", "id=1234567890123456"},
                        {"COOKIE", "id=12345678901234567"},
                        {"Proxy-Authorization", "Basic x"},
                        {"X-Other", "1"}};
  EXPECT_EQ(written(head_with(headers)),
            ":method=GET;:scheme=https;:authority=a.test;:path=/x;authorization=Bearer x!;"
            "cookie=id=1234567890123456!;cookie=id=12345678901234567;proxy-authorization=Basic x!;x-other=1;");
}

TEST(Http2Request, refuses_what_http2_has_no_words_for) {
  EXPECT_EQ(refusal({{"Accept", "*/*"}, {"TE", "trailers"}, {"Connection", "close , Keep-Alive"}}), "");
  EXPECT_EQ(refusal({{"Upgrade", "websocket"}}),
            "the request was refused: the field \"Upgrade\" has no place in HTTP/2");
  for (const auto* name : {"transfer-encoding", "Proxy-Connection", "HTTP2-Settings", "upgrade"}) {
    EXPECT_NE(refusal({{name, "x"}}), "") << name;
  }
  EXPECT_NE(refusal({{"TE", "trailers, gzip"}}), "");
  EXPECT_NE(refusal({{"Connection", "upgrade"}}), "");
  EXPECT_NE(refusal({{"Connection", "close, x-hop"}}), "");
  EXPECT_EQ(refusal({{"Keep-Alive", "timeout=5"}}), "");
}

TEST(Http2Request, refuses_more_fields_than_anybody_takes) {
  EXPECT_EQ(refusal({{"a", std::string(most_request_field_bytes - 33, 'x')}}), "");
  EXPECT_NE(refusal({{"a", std::string(most_request_field_bytes - 32, 'x')}}), "");
}

TEST(Http2Request, reaches_the_peer_as_it_was_meant) {
  Client client;
  const Headers headers{{"X-Mixed-Case", "Kept As It Is"}, {"Cookie", "a=b"}};
  const Exchange& exchange = client.get("GET", &headers);
  const auto frames = only(client.sent, FrameType::headers);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].id, exchange.id());
  EXPECT_EQ(frames[0].flags, end_stream | end_headers);

  nghttp2_hd_inflater* inflater = nullptr;
  ASSERT_EQ(nghttp2_hd_inflate_new(&inflater), 0);
  std::string seen;
  std::string_view block = frames[0].payload;
  for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
    nghttp2_nv nv;
    const ssize_t size = nghttp2_hd_inflate_hd2(inflater, &nv, &flags,
                                                reinterpret_cast<const std::uint8_t*>(block.data()), block.size(), 1);
    ASSERT_GE(size, 0);
    block.remove_prefix(static_cast<std::size_t>(size));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0) continue;
    seen.append(reinterpret_cast<const char*>(nv.name), nv.namelen).append("=");
    seen.append(reinterpret_cast<const char*>(nv.value), nv.valuelen).append(";");
  }
  EXPECT_EQ(seen, ":method=GET;:scheme=http;:authority=a.test;:path=/;x-mixed-case=Kept As It Is;cookie=a=b;");
  EXPECT_EQ(nghttp2_hd_inflate_get_num_table_entries(inflater), 61U + 2) << "authority and x-mixed-case, no cookie";
  nghttp2_hd_inflate_del(inflater);
}

TEST(Http2Request, fails_alone_when_nobody_could_take_its_fields) {
  Client client;
  const Headers headers{{"a", std::string(2 * most_request_field_bytes, 'x')}};
  const Exchange& large = client.get("GET", &headers);
  EXPECT_EQ(large.story, "closed us REFUSED_STREAM");
  EXPECT_FALSE(large.any_byte_sent());
  EXPECT_EQ(client.get().story, "");
  EXPECT_FALSE(client.session.failed());
}

}  // namespace
}  // namespace trunkline::http2
