#include "client/redirect.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace trunkline {
namespace {

Url url(std::string_view text) {
  Result<Url> parsed = Url::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Url();
}

ResponseHead response(int status, std::string_view location) {
  ResponseHead head;
  head.status = status;
  head.headers.add("Location", location);
  return head;
}

class Source : public BodySource {
 public:
  explicit Source(bool can_rewind) : can_rewind_(can_rewind) {}
  Pull pull(std::span<char>, Callback<void()>) override { return {}; }
  bool rewind() override {
    ++rewinds;
    return can_rewind_;
  }
  int rewinds = 0;

 private:
  bool can_rewind_;
};

TEST(Redirect, changes_the_method_as_rfc_9110_says) {
  struct Row {
    int status;
    const char* method;
    const char* next;
    bool keeps_body;
  };
  const Row rows[] = {
      {301, "GET", "GET", true},     {301, "POST", "GET", false},   {301, "HEAD", "HEAD", true},
      {301, "PUT", "PUT", true},     {302, "POST", "GET", false},   {302, "DELETE", "DELETE", true},
      {302, "PATCH", "PATCH", true}, {303, "GET", "GET", false},    {303, "POST", "GET", false},
      {303, "PUT", "GET", false},    {303, "HEAD", "HEAD", true},   {303, "DELETE", "GET", false},
      {307, "POST", "POST", true},   {307, "PUT", "PUT", true},     {307, "GET", "GET", true},
      {308, "POST", "POST", true},   {308, "PATCH", "PATCH", true}, {308, "OPTIONS", "OPTIONS", true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.method) + " " + std::to_string(row.status));
    Request request(row.method, "http://a/x");
    request.header("Content-Type", "text/plain").header("Accept", "*/*").body("abc");
    auto next = redirected(request, url("http://a/x"), response(row.status, "/y"));
    ASSERT_TRUE(next);
    ASSERT_TRUE(*next);
    EXPECT_EQ((*next)->method(), row.next);
    EXPECT_EQ((*next)->url(), "http://a/y");
    EXPECT_EQ((*next)->has_body(), row.keeps_body);
    EXPECT_EQ((*next)->body(), row.keeps_body ? "abc" : "");
    EXPECT_EQ((*next)->headers().contains("content-type"), row.keeps_body);
    EXPECT_TRUE((*next)->headers().contains("Accept"));
  }
}

TEST(Redirect, leaves_other_responses_alone) {
  for (const int status : {200, 201, 204, 300, 304, 305, 306, 404, 503}) {
    auto next = redirected(get("http://a/"), url("http://a/"), response(status, "/y"));
    ASSERT_TRUE(next);
    EXPECT_FALSE(*next) << status;
  }
  ResponseHead without_location;
  without_location.status = 302;
  auto next = redirected(get("http://a/"), url("http://a/"), without_location);
  ASSERT_TRUE(next);
  EXPECT_FALSE(*next);
}

// Every pair of scheme, host and port: what is secret survives exactly when all three stay.
TEST(Redirect, drops_credentials_when_scheme_host_or_port_changes) {
  std::vector<std::string> origins;
  for (const char* scheme : {"http", "https"}) {
    for (const char* host : {"a.example", "b.example", "sub.a.example", "A.EXAMPLE", "192.0.2.1", "[::1]"}) {
      for (const char* port : {"", ":80", ":443", ":8080"}) {
        origins.push_back(std::string(scheme) + "://" + host + port + "/");
      }
    }
  }
  const char* const secrets[] = {"Authorization", "Cookie", "Proxy-Authorization", "WWW-Authenticate", "X-Api-Key",
                                 "Host",          "Referer"};
  const RedirectRules rules{.allow_downgrade = true, .secret_headers = {"x-api-key"}};
  int same = 0;
  for (const std::string& from_text : origins) {
    for (const std::string& to_text : origins) {
      SCOPED_TRACE(from_text + " -> " + to_text);
      const Url from = url(from_text);
      const Url to = url(to_text);
      const bool stays = from.origin() == to.origin();
      EXPECT_EQ(same_origin(from, to), stays);
      same += stays;
      Request request = get(from_text);
      for (const char* name : secrets) request.header(name, "s3cret");
      request.header("Accept", "*/*");
      auto next = redirected(request, from, response(302, to_text), rules);
      ASSERT_TRUE(next);
      ASSERT_TRUE(*next);
      for (const char* name : secrets) EXPECT_EQ((*next)->headers().contains(name), stays) << name;
      EXPECT_TRUE((*next)->headers().contains("Accept"));
    }
  }
  // A.EXAMPLE is a.example, and the default port is the same written or not.
  EXPECT_GT(same, static_cast<int>(origins.size()));
}

TEST(Redirect, a_server_that_was_asked_by_a_rooted_name_means_itself_without_the_dot) {
  const Url from = url("https://db.example.:8443/a");
  const Request request = get(from.text()).header("Authorization", "s3cret");
  auto next = redirected(request, from, response(302, "https://db.example:8443/b"), {});
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->url(), "https://db.example.:8443/b");
  EXPECT_TRUE((*next)->headers().contains("Authorization"));
  next = redirected(request, from, response(302, "https://other.example/b"), {});
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->url(), "https://other.example/b");
  EXPECT_FALSE((*next)->headers().contains("Authorization"));
  next = redirected(request, url("https://db.example:8443/a"), response(302, from.text()), {});
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->url(), from.text());
  EXPECT_FALSE((*next)->headers().contains("Authorization")) << "it may be another machine";
}

TEST(Redirect, never_restores_a_credential_on_the_way_back) {
  Request request = get("https://a/");
  request.header("Authorization", "Bearer s3cret").header("Cookie", "s=1");
  auto away = redirected(request, url("https://a/"), response(302, "https://b/"));
  ASSERT_TRUE(away && *away);
  auto back = redirected(**away, url("https://b/"), response(302, "https://a/"));
  ASSERT_TRUE(back && *back);
  EXPECT_FALSE((*back)->headers().contains("Authorization"));
  EXPECT_FALSE((*back)->headers().contains("Cookie"));
}

TEST(Redirect, refuses_https_to_http_unless_allowed) {
  auto refused = redirected(get("https://a/"), url("https://a/"), response(301, "http://a/"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::rejected);
  EXPECT_EQ(refused.error().maybe_processed, MaybeProcessed::yes);
  auto allowed =
      redirected(get("https://a/"), url("https://a/"), response(301, "http://a/"), {.allow_downgrade = true});
  ASSERT_TRUE(allowed && *allowed);
  auto upward = redirected(get("http://a/"), url("http://a/"), response(301, "https://a/"));
  EXPECT_TRUE(upward && *upward);
}

TEST(Redirect, a_websocket_that_is_sent_on_stays_one_and_keeps_its_login_at_home) {
  for (const auto& [location, expected] : {std::pair("/chat/", "wss://a/chat/"),
                                           {"https://a/chat/", "wss://a/chat/"},
                                           {"wss://a:443/chat/", "wss://a/chat/"},
                                           {"https://b/chat/", "wss://b/chat/"}}) {
    Request request = get("wss://a/chat");
    request.header("Authorization", "Bearer s3cret");
    auto next = redirected(request, url("wss://a/chat"), response(301, location));
    ASSERT_TRUE(next) << location;
    EXPECT_EQ(url((*next)->url()).origin(), url(expected).origin()) << location;
    EXPECT_EQ(url((*next)->url()).scheme(), "wss") << location;
    EXPECT_EQ((*next)->headers().contains("Authorization"), url(expected).host() == "a") << location;
  }
  for (const char* location : {"http://a/chat/", "ws://a/chat/", "ftp://a/"}) {
    EXPECT_FALSE(redirected(get("wss://a/"), url("wss://a/"), response(301, location))) << location;
  }
}

TEST(Redirect, refuses_other_schemes_and_broken_locations) {
  for (const char* location : {"file:///etc/passwd", "ftp://a/", "ws://a/", "wss://a/", "javascript:alert(1)",
                               "http://a b/", "http://[::1", "http://a:99999/", "http://a\\@b/"}) {
    auto next = redirected(get("http://a/"), url("http://a/"), response(302, location));
    EXPECT_FALSE(next) << location;
  }
  ResponseHead two = response(302, "/x");
  two.headers.add("Location", "/y");
  auto ambiguous = redirected(get("http://a/"), url("http://a/"), two);
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().code, ErrorCode::invalid_response);
  ResponseHead twice = response(302, "/x");
  twice.headers.add("location", "/x");
  EXPECT_TRUE(redirected(get("http://a/"), url("http://a/"), twice));
}

TEST(Redirect, never_turns_userinfo_into_a_credential) {
  auto next = redirected(get("http://a/"), url("http://a/"), response(302, "http://user:pass@a/x"));
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->url(), "http://a/x");
  EXPECT_TRUE((*next)->headers().empty());
}

TEST(Redirect, resolves_relative_locations) {
  struct Row {
    const char* location;
    const char* expected;
  };
  for (const Row& row : {Row{"z", "http://a/x/z"}, Row{"../z", "http://a/z"}, Row{"//b/z", "http://b/z"},
                         Row{"?q=1", "http://a/x/y?q=1"}, Row{"/", "http://a/"}}) {
    auto next = redirected(get("http://a/x/y"), url("http://a/x/y"), response(302, row.location));
    ASSERT_TRUE(next && *next) << row.location;
    EXPECT_EQ((*next)->url(), row.expected);
  }
}

TEST(Redirect, sends_a_source_again_only_if_it_can_be_rewound) {
  for (const bool can_rewind : {true, false}) {
    auto source = std::make_shared<Source>(can_rewind);
    Request request("POST", "http://a/");
    request.body(source);
    auto next = redirected(request, url("http://a/"), response(307, "/y"));
    EXPECT_EQ(source->rewinds, 1);
    ASSERT_EQ(next.has_value(), can_rewind);
    if (can_rewind) {
      EXPECT_EQ((*next)->source(), source);
    } else {
      EXPECT_EQ(next.error().kind, ErrorKind::rejected);
    }
  }
  auto dropped = std::make_shared<Source>(false);
  Request request("POST", "http://a/");
  request.body(dropped);
  EXPECT_TRUE(redirected(request, url("http://a/"), response(303, "/y"))) << "a GET needs no body";
}

TEST(Redirect, keeps_the_settings_of_the_request) {
  Request request("PUT", "http://a/");
  Timeouts timeouts;
  timeouts.queue = std::chrono::seconds(7);
  request.body("abc").timeouts(timeouts).total_timeout(std::chrono::seconds(3)).idempotent().fresh_connection();
  request.expect_continue().body_limit(77);
  auto kept = redirected(request, url("http://a/"), response(307, "/y"));
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->timeouts()->queue, std::chrono::seconds(7));
  EXPECT_EQ((*kept)->total_timeout(), std::chrono::seconds(3));
  EXPECT_EQ((*kept)->body_limit(), 77u);
  EXPECT_TRUE((*kept)->is_idempotent());
  EXPECT_TRUE((*kept)->wants_fresh_connection());
  EXPECT_TRUE((*kept)->wants_continue());
  auto without_body = redirected(request, url("http://a/"), response(303, "/y"));
  ASSERT_TRUE(without_body && *without_body);
  EXPECT_FALSE((*without_body)->wants_continue());
}

}  // namespace
}  // namespace trunkline
