// Which requests are requests.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/server_kit.h"

namespace trunkline::http2 {
namespace {

using Fields = Encoder::Fields;

TEST(Http2ServerRequest, reads_a_request) {
  Server server;
  EXPECT_TRUE(server.hears(server.hpack.headers(1,
                                                {{":method", "GET"},
                                                 {":scheme", "https"},
                                                 {":authority", "a.test:8443"},
                                                 {":path", "/x?y"},
                                                 {"cookie", "a=b"},
                                                 {"cookie", "c=d"},
                                                 {"te", "trailers"}},
                                                end_stream)));
  ASSERT_EQ(server.order.size(), 1U);
  const ServedRequest& request = server.last().request;
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.scheme, "https");
  EXPECT_EQ(request.authority, "a.test:8443");
  EXPECT_EQ(request.path, "/x?y");
  EXPECT_EQ(request.headers.get_all("cookie").size(), 2U);
  EXPECT_EQ(request.headers.get("te"), "trailers");
  EXPECT_FALSE(request.content_length);
  EXPECT_EQ(server.last().story, "GET /x?y; end");
  EXPECT_EQ(server.last().stream_id(), 1);
}

TEST(Http2ServerRequest, reads_requests_in_pieces_of_one_byte) {
  Server server({}, false);
  const std::string all =
      join({std::string(client_preface), settings(), server.hpack.headers(1, Server::fields("POST")), data(1, "hello"),
            data(1, "!", end_stream), ping()});
  for (const char c : all) EXPECT_TRUE(server.hears({&c, 1}));
  EXPECT_EQ(server.last().story, "POST /; end");
  EXPECT_EQ(server.last().received, "hello!");
  EXPECT_EQ(count(server.sends(), FrameType::ping), 1U);
}

TEST(Http2ServerRequest, reads_trailers) {
  Server server;
  server.post(1);
  server.hears(data(1, "hi"));
  server.hears(server.hpack.headers(1, {{"x-sum", "1"}}, end_stream));
  EXPECT_EQ(server.last().story, "POST /; trailers; end");
  EXPECT_EQ(server.last().trailers.get("x-sum"), "1");
}

// What is the same as in the request before is not judged again.
TEST(Http2ServerRequest, judges_whatever_differs_from_the_request_before) {
  Server server;
  std::int32_t id = -1;
  const auto come = [&](const Fields& fields) {
    const std::size_t before = server.order.size();
    EXPECT_TRUE(server.hears(server.hpack.headers(id += 2, fields, end_stream)));
    return server.order.size() > before;
  };
  const auto request = [](std::string authority, std::string path, Fields more = {}) {
    Fields all{
        {":method", "GET"}, {":scheme", "http"}, {":authority", std::move(authority)}, {":path", std::move(path)}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_TRUE(come(request("a.test", "/x")));
  EXPECT_TRUE(come(request("a.test", "/x")));
  EXPECT_EQ(server.last().request.authority, "a.test");
  EXPECT_EQ(server.last().request.path, "/x");
  EXPECT_FALSE(come(request("u@a", "/x")));
  EXPECT_FALSE(come(request("u@a", "/x"))) << "refused as often as it comes";
  EXPECT_FALSE(come(request("a.test", "x")));
  EXPECT_TRUE(come(request("a.test", "/x")));
  EXPECT_TRUE(come(request("a.test", "/x", {{"host", "a.test"}})));
  EXPECT_FALSE(come(request("a.test", "/x", {{"host", "b.test"}})));
  EXPECT_FALSE(come(request("b.test", "/x", {{"host", "a.test"}})));
  EXPECT_FALSE(come({{":method", "GET"}, {":scheme", "http"}, {":authority", "a.test"}})) << "without the path it had";
  EXPECT_FALSE(come({{":method", "GET"}, {":scheme", "http"}, {":path", "/x"}})) << "without the authority it had";
  EXPECT_TRUE(come(request("a.test", "/y")));
  EXPECT_EQ(server.last().request.path, "/y");
}

TEST(Http2ServerRequest, takes_the_host_where_there_is_no_authority) {
  Server server;
  server.hears(server.hpack.headers(1, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b.test"}},
                                    end_stream));
  EXPECT_EQ(server.last().request.authority, "b.test");
  server.hears(server.hpack.headers(3, Server::fields("GET", {{"host", "A.test"}}), end_stream));
  EXPECT_EQ(server.last().request.authority, "a.test");
}

TEST(Http2ServerRequest, reads_connect_and_asterisk) {
  Server server;
  server.hears(server.hpack.headers(1, {{":method", "CONNECT"}, {":authority", "a.test:443"}}));
  EXPECT_EQ(server.last().request.authority, "a.test:443");
  EXPECT_EQ(server.last().request.path, "");
  server.hears(server.hpack.headers(
      3, {{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}}, end_stream));
  EXPECT_EQ(server.last().request.path, "*");
  EXPECT_EQ(server.order.size(), 2U);
}

// One stream is reset, the next one is served.
void expect_malformed(const Fields& fields, std::string_view what) {
  Server server;
  EXPECT_TRUE(server.hears(server.hpack.headers(1, fields, end_stream))) << what;
  EXPECT_EQ(server.order.size(), 0U) << what;
  const auto frames = server.sends();
  EXPECT_EQ(only_code(frames, FrameType::rst_stream), "PROTOCOL_ERROR") << what;
  EXPECT_EQ(frames.size(), 1U) << what;
  EXPECT_TRUE(server.get(3)) << what;
  EXPECT_EQ(server.order.size(), 1U) << what;
}

TEST(Http2ServerRequest, needs_its_pseudo_headers_once_and_first) {
  const std::pair<std::string, std::string> method{":method", "GET"};
  const std::pair<std::string, std::string> scheme{":scheme", "http"};
  const std::pair<std::string, std::string> authority{":authority", "a"};
  const std::pair<std::string, std::string> path{":path", "/"};
  expect_malformed({scheme, authority, path}, "no method");
  expect_malformed({method, authority, path}, "no scheme");
  expect_malformed({method, scheme, authority}, "no path");
  expect_malformed({method, scheme, path}, "no authority and no host");
  expect_malformed({method, method, scheme, authority, path}, "two methods");
  expect_malformed({method, scheme, scheme, authority, path}, "two schemes");
  expect_malformed({method, scheme, authority, authority, path}, "two authorities");
  expect_malformed({method, scheme, authority, path, path}, "two paths");
  expect_malformed({method, scheme, authority, {"x", "y"}, path}, "behind a field");
  expect_malformed({method, scheme, authority, path, {":status", "200"}}, "a response's");
  expect_malformed({method, scheme, authority, path, {":protocol", "websocket"}}, "not offered");
  expect_malformed({method, scheme, authority, path, {":x", "y"}}, "unknown");
  expect_malformed({{"x", "y"}}, "none at all");
}

TEST(Http2ServerRequest, needs_pseudo_headers_that_are_sound) {
  const auto with = [](std::string_view name, std::string_view value) {
    Fields fields = Server::fields();
    for (auto& field : fields) {
      if (field.first == name) field.second = value;
    }
    return fields;
  };
  using namespace std::string_view_literals;
  for (const std::string_view method : {""sv, "G T"sv, "G\r\n"sv, "GET:"sv, "CONNECT"sv}) {
    expect_malformed(with(":method", method), method);
  }
  expect_malformed(with(":method", std::string(33, 'X')), "a method of absurd length");
  for (const std::string_view scheme : {""sv, "HTTP"sv, "ftp"sv, "http://"sv}) {
    expect_malformed(with(":scheme", scheme), scheme);
  }
  for (const std::string_view path :
       {""sv, "x"sv, "*"sv, "/a b"sv, "/\r\nX: y"sv, "/\0"sv, "/#x"sv, "/\xC3\xA9"sv, "http://a/"sv, "/\x7F"sv}) {
    expect_malformed(with(":path", path), path);
  }
  for (const std::string_view authority : {""sv, "u@a"sv, "a/b"sv, "a b"sv, "a,b"sv, "a:"sv, "a\r\n"sv, "[::1"sv}) {
    expect_malformed(with(":authority", authority), authority);
  }
}

TEST(Http2ServerRequest, refuses_two_hosts) {
  expect_malformed(Server::fields("GET", {{"host", "b.test"}}), "another");
  expect_malformed(Server::fields("GET", {{"host", "a.test"}, {"host", "a.test"}}), "twice");
  expect_malformed(Server::fields("GET", {{"host", "a b"}}), "unsound");
}

TEST(Http2ServerRequest, refuses_connect_with_a_path) {
  expect_malformed({{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}}, "path");
  expect_malformed({{":method", "CONNECT"}, {":authority", "a:1"}, {":scheme", "http"}}, "scheme");
  expect_malformed({{":method", "CONNECT"}, {":authority", "a"}}, "no port");
  expect_malformed({{":method", "CONNECT"}, {"host", "a:1"}}, "no authority");
}

TEST(Http2ServerRequest, refuses_fields_of_a_connection) {
  for (const auto& [name, value] : Fields{{"connection", "close"},
                                          {"keep-alive", "timeout=5"},
                                          {"proxy-connection", "close"},
                                          {"transfer-encoding", "chunked"},
                                          {"upgrade", "h2c"},
                                          {"te", "gzip"}}) {
    expect_malformed(Server::fields("GET", {{name, value}}), name);
  }
}

TEST(Http2ServerRequest, refuses_fields_with_forbidden_bytes) {
  for (const auto& [name, value] : Fields{{"X-Upper", "a"},
                                          {"x y", "a"},
                                          {"x:", "a"},
                                          {"", "a"},
                                          {"x", "a\r\nb"},
                                          {"x", "a\nb"},
                                          {"x", std::string("a\0b", 3)},
                                          {"x", " a"},
                                          {"x", "a "},
                                          {"x", "\x01"}}) {
    expect_malformed(Server::fields("GET", {{name, value}}), name + "=" + value);
  }
}

TEST(Http2ServerRequest, refuses_lengths_that_are_not_one_number) {
  for (const std::string_view value : {"", "+1", "1, 1", "0x1", "-1", "18446744073709551616"}) {
    expect_malformed(Server::fields("POST", {{"content-length", std::string(value)}}), value);
  }
  expect_malformed(Server::fields("POST", {{"content-length", "0"}, {"content-length", "0"}}), "twice");
  expect_malformed(Server::fields("POST", {{"content-length", "1"}}), "but no body comes");
}

TEST(Http2ServerRequest, takes_exactly_the_body_that_was_announced) {
  Server server;
  server.post(1, {{"content-length", "3"}});
  server.hears(data(1, "abc", end_stream));
  EXPECT_EQ(server.last().story, "POST / of 3; end");
  EXPECT_EQ(server.last().received, "abc");

  server.post(3, {{"content-length", "3"}});
  server.hears(data(3, "abcd"));
  EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "PROTOCOL_ERROR");
  EXPECT_EQ(server.last().story, "POST / of 3; closed malformed PROTOCOL_ERROR");
  EXPECT_EQ(server.last().received, "");

  server.post(5, {{"content-length", "3"}});
  server.hears(data(5, "ab", end_stream));
  EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "PROTOCOL_ERROR");
  EXPECT_EQ(server.last().story, "POST / of 3; closed malformed PROTOCOL_ERROR");

  server.post(7, {{"content-length", "3"}});
  server.hears(data(7, "ab"));
  server.hears(server.hpack.headers(7, {{"x", "y"}}, end_stream));
  EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "PROTOCOL_ERROR");
  EXPECT_TRUE(server.get(9));
}

TEST(Http2ServerRequest, refuses_trailers_that_are_none) {
  for (const auto& [fields, flags] : std::vector<std::pair<Fields, std::uint8_t>>{
           {{{"x", "y"}}, 0}, {{{":path", "/"}}, end_stream}, {{{"Upper", "y"}}, end_stream}}) {
    Server server;
    server.post(1);
    server.hears(server.hpack.headers(1, fields, flags));
    EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "PROTOCOL_ERROR");
    EXPECT_EQ(server.last().story, "POST /; closed malformed PROTOCOL_ERROR");
  }
}

TEST(Http2ServerRequest, says_431_to_what_is_too_large) {
  Decoder decoder;
  Server server({.header_bytes = 300});
  server.hears(server.hpack.headers(1, Server::fields("GET", {{"x", std::string(300, 'x')}}), end_stream));
  auto frames = server.sends();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(decoder.read(frames[0]), "[:status=431]");
  EXPECT_EQ(frames[0].flags & end_stream, end_stream);
  // With a body, nobody will read it.
  server.hears(server.hpack.headers(3, Server::fields("POST", {{"x", std::string(300, 'y')}})));
  frames = server.sends();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(decoder.read(frames[0]), "[:status=431]");
  EXPECT_EQ(only_code(frames, FrameType::rst_stream), "NO_ERROR");
  EXPECT_EQ(server.order.size(), 0U);
  EXPECT_TRUE(server.get(5));
  EXPECT_EQ(server.order.size(), 1U);
}

TEST(Http2ServerRequest, bounds_the_number_of_fields_with_those_of_the_trailers) {
  Server server({.header_count = 6});
  server.post(1, {{"a", "1"}});
  server.hears(server.hpack.headers(1, {{"b", "2"}}, end_stream));
  EXPECT_EQ(server.last().story, "POST /; trailers; end");
  server.post(3, {{"a", "1"}});
  server.hears(server.hpack.headers(3, {{"b", "2"}, {"c", "3"}}, end_stream));
  EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "ENHANCE_YOUR_CALM");
  EXPECT_EQ(server.last().story, "POST /; closed malformed ENHANCE_YOUR_CALM");
  server.post(5, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
  EXPECT_EQ(server.order.size(), 2U);
}

TEST(Http2ServerRequest, refuses_more_streams_than_it_announced) {
  Server server({.streams = 2});
  server.get(1);
  server.get(3);
  server.get(5);
  EXPECT_EQ(server.order.size(), 2U);
  // It has acknowledged our SETTINGS: this is no misunderstanding.
  EXPECT_EQ(only_code(server.sends(), FrameType::goaway), "PROTOCOL_ERROR");

  Server early({.streams = 2}, false);
  early.hears(std::string(client_preface) + settings());
  early.get(1);
  early.get(3);
  early.get(5);
  EXPECT_EQ(early.order.size(), 2U);
  EXPECT_EQ(only_code(early.sends(), FrameType::rst_stream), "REFUSED_STREAM");
  EXPECT_FALSE(early.session.failed());
}

TEST(Http2ServerRequest, refuses_what_the_server_has_no_room_for) {
  Server server;
  server.accepts = false;
  EXPECT_TRUE(server.hears(server.hpack.headers(1, Server::fields("POST"))));
  EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "REFUSED_STREAM");
  EXPECT_EQ(server.session.open_streams(), 0);
  EXPECT_TRUE(server.hears(data(1, "what was on its way")));
  server.accepts = true;
  EXPECT_TRUE(server.get(3));
  EXPECT_EQ(server.session.open_streams(), 1);
}

TEST(Http2ServerRequest, announces_its_limits) {
  Server server({.streams = 7, .header_bytes = 1000, .stream_window = 5000}, false);
  const auto frames = only(server.sent, FrameType::settings);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].payload, number(3, 2) + number(7, 4) + number(4, 2) + number(5000, 4) + number(6, 2) +
                                   number(1000, 4) + number(9, 2) + number(1, 4));
  EXPECT_FALSE(server.session.settings_acknowledged());
  server.hears(std::string(client_preface) + settings() + settings_ack());
  EXPECT_TRUE(server.session.settings_acknowledged());
}

TEST(Http2ServerRequest, fails_without_the_preface) {
  Server server({}, false);
  EXPECT_FALSE(server.hears("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(server.session.failure(), "the client does not begin with the preface of HTTP/2");
  EXPECT_EQ(only_code(server.sends(), FrameType::goaway), "PROTOCOL_ERROR");
  EXPECT_TRUE(server.session.over());

  Server other({}, false);
  other.hears(std::string(client_preface) + ping());
  EXPECT_EQ(only_code(other.sends(), FrameType::goaway), "PROTOCOL_ERROR") << "SETTINGS come first";
}

}  // namespace
}  // namespace trunkline::http2
