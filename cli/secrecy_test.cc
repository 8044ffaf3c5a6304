#include "secrecy.h"

#include <gtest/gtest.h>

#include "verbose.h"

namespace trunkline::cli {
namespace {

TEST(Secrecy, hides_credentials_in_headers) {
  const Secrecy secrecy{false, {"X-Api-Key"}};
  for (const char* name : {"Authorization", "cookie", "SET-COOKIE", "Proxy-Authorization", "x-api-key"}) {
    EXPECT_EQ(secrecy.header_value(name, "s3cret"), "[redacted]") << name;
  }
  EXPECT_EQ(secrecy.header_value("Accept", "*/*"), "*/*");
  EXPECT_EQ((Secrecy{true, {}}.header_value("Cookie", "s3cret")), "s3cret");
}

TEST(Secrecy, lets_no_peer_write_to_the_terminal) {
  EXPECT_EQ(Secrecy().header_value("X", "\x1b[31m\r\n"), R"(\x1b[31m\r\n)");
}

TEST(Secrecy, takes_userinfo_out_of_urls_good_or_bad) {
  EXPECT_EQ(shown_url("http://user:pass@a/x@y"), "http://a/x@y");
  EXPECT_EQ(shown_url("http://a/x@y"), "http://a/x@y");
  EXPECT_EQ(shown_url("http://u:p@x@a b/"), "http://a b/");
  EXPECT_EQ(shown_url("user:pass@host"), "host");
  EXPECT_EQ(shown_url("//u@h?q=@"), "//h?q=@");
}

TEST(Verbose, shows_requests_as_they_are_written_without_their_secrets) {
  Request request("POST", "http://user:pass@example.org:8080/x?q=1#frag");
  request.header("Authorization", "Bearer s3cret").header("X-Bytes", "\t\xff").body("abc");
  Options options;
  options.user_agent = "agent/1";
  const std::string text = describe_request(request, options, Secrecy());
  EXPECT_TRUE(text.starts_with("> POST /x?q=1 HTTP/1.1\n")) << text;
  EXPECT_NE(text.find("> Host: example.org:8080\n"), std::string::npos) << text;
  EXPECT_NE(text.find("> User-Agent: agent/1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("> Accept-Encoding: gzip, deflate, br, zstd\n"), std::string::npos) << text;
  EXPECT_NE(text.find("> Content-Length: 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("> Authorization: [redacted]\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
  EXPECT_EQ(text.find("pass"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("> \n")) << text;
}

TEST(Verbose, names_the_version_of_a_request_only_when_it_is_known) {
  const auto first_line = [](std::string_view url, Protocol protocol) {
    Options options;
    options.protocol = protocol;
    const std::string text = describe_request(Request("GET", std::string(url)), options, Secrecy());
    return text.substr(0, text.find('\n'));
  };
  EXPECT_EQ(first_line("http://a/x", Protocol::automatic), "> GET /x HTTP/1.1");
  EXPECT_EQ(first_line("https://a/x", Protocol::automatic), "> GET /x");
  EXPECT_EQ(first_line("https://a/x", Protocol::http1), "> GET /x HTTP/1.1");
  EXPECT_EQ(first_line("https://a/x", Protocol::http2), "> GET /x HTTP/2");
  EXPECT_EQ(first_line("http://a/x", Protocol::h2c), "> GET /x HTTP/2");
}

TEST(Verbose, shows_responses_and_connections) {
  ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  head.headers.add("Set-Cookie", "s=3");
  head.connection.id = 4;
  head.connection.address = "127.0.0.1:80";
  head.connection.reuse_miss = ReuseMiss::peer_closed;
  head.connection.dial_reason = DialReason::peer_closed;
  EXPECT_EQ(describe_response(head, Secrecy()), "< HTTP/1.1 200 OK\n< Set-Cookie: [redacted]\n< \n");
  EXPECT_EQ(describe_connection(head.connection),
            "* Connection 4 to 127.0.0.1:80: dialled (peer_closed), none was reused: peer_closed\n");
  head.connection.reused = true;
  head.connection.requests = 2;
  EXPECT_EQ(describe_connection(head.connection), "* Connection 4 to 127.0.0.1:80: reused, its request number 2\n");
  EXPECT_EQ(head_text(head), "HTTP/1.1 200 OK\r\nSet-Cookie: s=3\r\n\r\n");
}

}  // namespace
}  // namespace trunkline::cli
