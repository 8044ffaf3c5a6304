#include <trunkline/url.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace trunkline {
namespace url_test {

Url parsed(std::string_view text) {
  auto url = Url::parse(text);
  EXPECT_TRUE(url) << text << ": " << (url ? "" : url.error().message);
  return url ? *url : Url();
}

std::string failure(const Result<Url>& url, std::string_view text) {
  if (url) {
    ADD_FAILURE() << "accepted: " << text << " as " << url->text();
    return "";
  }
  EXPECT_EQ(url.error().code, ErrorCode::invalid_url);
  EXPECT_EQ(url.error().kind, ErrorKind::rejected);
  EXPECT_EQ(url.error().phase, Phase::prepare);
  for (const char c : url.error().message) EXPECT_TRUE(c >= ' ' && c < 0x7F) << url.error().message;
  return url.error().message;
}

std::string failure(std::string_view text) { return failure(Url::parse(text), text); }

// What the message must contain, byte offset included.
struct Refusal {
  std::string text;
  std::string_view message;
};

void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    const std::string message = failure(refusal.text);
    EXPECT_NE(message.find(refusal.message), std::string::npos) << refusal.text << " gave: " << message;
  }
}

TEST(Url, reads_all_its_parts) {
  const Url url = parsed("HTTPS://User:p%40ss@Example.ORG:8443/a/b.c?x=1&y#part");
  EXPECT_EQ(url.scheme(), "https");
  EXPECT_EQ(url.user(), "User");
  EXPECT_EQ(url.password(), "p@ss");
  EXPECT_TRUE(url.has_userinfo());
  EXPECT_EQ(url.host(), "example.org");
  EXPECT_EQ(url.port(), 8443);
  EXPECT_TRUE(url.has_explicit_port());
  EXPECT_FALSE(url.is_ip_literal());
  EXPECT_TRUE(url.secure());
  EXPECT_EQ(url.path(), "/a/b.c");
  EXPECT_EQ(url.query(), "x=1&y");
  EXPECT_EQ(url.fragment(), "part");
  EXPECT_EQ(url.target(), "/a/b.c?x=1&y");
  EXPECT_EQ(url.authority(), "example.org:8443");
  EXPECT_EQ(url.origin(), "https://example.org:8443");
  EXPECT_EQ(url.text(), "https://example.org:8443/a/b.c?x=1&y#part");
}

TEST(Url, fills_in_what_is_left_out) {
  const Url url = parsed("http://h");
  EXPECT_EQ(url.path(), "/");
  EXPECT_EQ(url.target(), "/");
  EXPECT_FALSE(url.has_query());
  EXPECT_EQ(url.query(), "");
  EXPECT_FALSE(url.has_userinfo());
  EXPECT_EQ(url.port(), 80);
  EXPECT_FALSE(url.has_explicit_port());
  EXPECT_EQ(url.authority(), "h");
  EXPECT_EQ(url.origin(), "http://h:80");
  EXPECT_EQ(parsed("https://h?q").target(), "/?q");
  EXPECT_EQ(parsed("https://h?").target(), "/?");
  EXPECT_TRUE(parsed("https://h?").has_query());
  EXPECT_EQ(parsed("https://h#f").text(), "https://h/#f");
}

TEST(Url, knows_the_port_of_each_scheme_and_leaves_it_out_of_the_authority) {
  struct Case {
    std::string_view text, authority;
    int port;
    bool secure;
  };
  for (const Case& c : std::vector<Case>{{"http://h", "h", 80, false},
                                         {"ws://h", "h", 80, false},
                                         {"https://h", "h", 443, true},
                                         {"wss://h", "h", 443, true},
                                         {"http://h:80", "h", 80, false},
                                         {"https://h:443", "h", 443, true},
                                         {"http://h:443", "h:443", 443, false},
                                         {"wss://h:65535", "h:65535", 65535, true},
                                         {"http://h:1/", "h:1", 1, false}}) {
    const Url url = parsed(c.text);
    EXPECT_EQ(url.port(), c.port) << c.text;
    EXPECT_EQ(url.authority(), c.authority) << c.text;
    EXPECT_EQ(url.secure(), c.secure) << c.text;
  }
}

TEST(Url, brings_host_names_into_one_form) {
  struct Case {
    std::string_view text, host;
  };
  for (const Case& c : std::vector<Case>{{"http://EXAMPLE.org", "example.org"},
                                         {"http://example.org.", "example.org"},
                                         {"http://example.org.:80/", "example.org"},
                                         {"http://my_service-1:80", "my_service-1"},
                                         {"http://xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
                                         {"http://1a.2b", "1a.2b"},
                                         {"http://3com", "3com"},
                                         {"http://1.2.3.4.example", "1.2.3.4.example"},
                                         {"http://0xg", "0xg"},
                                         {"http://a-.-b", "a-.-b"}}) {
    const Url url = parsed(c.text);
    EXPECT_EQ(url.host(), c.host) << c.text;
    EXPECT_EQ(url.ip_version(), 0) << c.text;
  }
}

TEST(Url, reads_plain_ipv4) {
  for (const std::string_view host : {"127.0.0.1", "0.0.0.0", "255.255.255.255", "10.20.30.40"}) {
    const Url url = parsed("http://" + std::string(host) + ":8080/");
    EXPECT_EQ(url.host(), host);
    EXPECT_EQ(url.ip_version(), 4);
  }
}

TEST(Url, refuses_ipv4_that_resolvers_read_differently) {
  for (const std::string_view host : {"127.1", "127", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "010.0.0.1",
                                      "1.2.3.04", "1.2.3.4.5", "256.1.1.1", "1.2.3", "1.2.3.4.", "1.2.3.0x4",
                                      "example.1", "example.0x1", "1.2.3.0x", "0x", "a.00", "99999999999"}) {
    EXPECT_NE(failure("http://" + std::string(host)).find("IPv4"), std::string::npos) << host;
  }
}

TEST(Url, brings_ipv6_into_the_form_of_rfc_5952) {
  struct Case {
    std::string_view literal, host;
  };
  for (const Case& c : std::vector<Case>{{"::", "::"},
                                         {"::1", "::1"},
                                         {"1::", "1::"},
                                         {"0:0:0:0:0:0:0:1", "::1"},
                                         {"2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
                                         {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
                                         {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
                                         {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
                                         {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
                                         {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
                                         {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
                                         {"0:0:3::", "0:0:3::"},
                                         {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
                                         {"::FFFF:c000:201", "::ffff:192.0.2.1"},
                                         {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
                                         {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
                                         {"fe80::A", "fe80::a"}}) {
    const Url url = parsed("http://[" + std::string(c.literal) + "]:8080/");
    EXPECT_EQ(url.host(), c.host);
    EXPECT_EQ(url.ip_version(), 6);
    EXPECT_EQ(url.authority(), "[" + std::string(c.host) + "]:8080");
    EXPECT_EQ(parsed(url.text()), url);
  }
}

TEST(Url, refuses_what_is_no_ipv6) {
  for (const std::string_view literal : {"",
                                         ":",
                                         ":::",
                                         "1",
                                         "1:2",
                                         "1:2:3:4:5:6:7",
                                         "1:2:3:4:5:6:7:8:9",
                                         "1::2::3",
                                         "12345::",
                                         "g::",
                                         "1:2:3:4:5:6:7:8::",
                                         "::1:2:3:4:5:6:7:8",
                                         "1:2:3:4:5:6:7:1.2.3.4",
                                         "::1.2.3",
                                         "::1.2.3.04",
                                         "::1.2.3.4:5",
                                         "1.2.3.4",
                                         "1:",
                                         ":1",
                                         "::1:",
                                         "v1.x",
                                         " ::1",
                                         "::1 ",
                                         "127.0.0.1"}) {
    EXPECT_NE(failure("http://[" + std::string(literal) + "]/").find("at byte 8"), std::string::npos) << literal;
  }
  expect_refusals({{"http://[::1", "\"]\" is missing"},
                   {"http://[::1/]", "\"]\" is missing"},
                   {"http://[::1]x", "at byte 12"},
                   {"http://::1/", "brackets) at byte 8"},
                   {"http://1:2:3/", "brackets"},
                   {"http://a]/", "bracket in the host at byte 8"},
                   {"http://a[::1]/", "bracket"}});
}

TEST(Url, keeps_a_zone_for_the_connection_but_not_for_the_host_field) {
  const Url url = parsed("http://[fe80::1%25eth0]:81/");
  EXPECT_EQ(url.host(), "fe80::1");
  EXPECT_EQ(url.zone(), "eth0");
  EXPECT_EQ(url.authority(), "[fe80::1]:81");
  EXPECT_EQ(url.origin(), "http://[fe80::1%25eth0]:81");
  EXPECT_EQ(url.text(), "http://[fe80::1%25eth0]:81/");
  EXPECT_EQ(parsed(url.text()), url);
  EXPECT_NE(parsed("http://[fe80::1%25eth1]:81/"), url);
  expect_refusals({{"http://[fe80::1%eth0]/", "a zone that does not start with %25 at byte 15"},
                   {"http://[fe80::1%25]/", "empty"},
                   {"http://[fe80::1%25a%62]/", "a percent sign in the zone at byte 19"},
                   {"http://[fe80::1%25" + std::string(64, 'z') + "]/", "longer than 63"},
                   {"http://[fe80::1%25a b]/", "a space in the zone at byte 19"}});
}

TEST(Url, refuses_other_schemes_and_texts_without_one) {
  expect_refusals({{"", "empty"},
                   {"ftp://h", "not http, https, ws or wss"},
                   {"javascript:alert(1)", "not http"},
                   {"file:///etc/passwd", "not http"},
                   {"httpx://h", "not http"},
                   {"example.org:80/", "no scheme; write http://"},
                   {"mailto:someone", "not http"},
                   {"example.org", "no scheme; write http://"},
                   {"localhost:8080", "no scheme; write http://"},
                   {"//h/", "no scheme"},
                   {"/path", "no scheme"},
                   {"http:h", "\"//\" is missing after the scheme at byte 5"},
                   {"http:/h", "\"//\" is missing"},
                   {"http:\\\\h", "\"//\" is missing"},
                   {" http://h", "a space instead of a scheme at byte 0"},
                   {"\thttp://h", "control character (\\t)"},
                   {"ht\ntp://h", "no scheme"},
                   {"http", "no scheme"},
                   {"http:", "\"//\" is missing"}});
}

TEST(Url, refuses_hosts_that_can_be_read_in_two_ways) {
  expect_refusals({{"http://", "the host is missing at byte 7"},
                   {"http:///path", "the host is missing"},
                   {"http://:80/", "the host is missing"},
                   {"http://?q", "the host is missing"},
                   {"http://u@/", "the host is missing at byte 9"},
                   {"http://a b/", "a space in the host at byte 8"},
                   {"http://a\tb/", "control character (\\t) in the host at byte 8"},
                   {"http://a\r\nb/", "control character (\\r)"},
                   {std::string("http://a\0b/", 11), "control character (\\x00)"},
                   {"http://a\x7F/", "control character (\\x7f)"},
                   {"http://a\\b/", "a backslash in the host at byte 8"},
                   {"http://good.example\\@evil.example/", "user or password at byte 19"},
                   {"http://a%2eb/", "percent-encoding in the host at byte 8"},
                   {"http://%61/", "percent-encoding in the host"},
                   {"http://a,b/", "\",\" in the host"},
                   {"http://a;b/", "in the host"},
                   {"http://*.a/", "in the host"},
                   {"http://./", "an empty label"},
                   {"http://.a/", "an empty label in the host at byte 7"},
                   {"http://a..b/", "an empty label in the host at byte 9"},
                   {"http://a../", "an empty label"},
                   {"http://../", "an empty label"}});
}

TEST(Url, fails_closed_on_names_that_need_idna) {
  expect_refusals({{"http://m\xC3\xBCnchen.de/", "punycode: xn--...) at byte 8"},
                   {"http://a\xEF\xBC\x8E"
                    "b/",
                    "punycode"},
                   {"http://\xFF/", "punycode"}});
}

TEST(Url, bounds_labels_hosts_and_the_whole) {
  const std::string label(63, 'a');
  EXPECT_EQ(parsed("http://" + label + "/").host(), label);
  expect_refusals({{"http://" + label + "a/", "a host label of more than 63 bytes at byte 7"},
                   {"http://b." + label + "a/", "at byte 9"}});
  const std::string host = label + "." + label + "." + label + "." + std::string(61, 'b');  // 253 bytes
  EXPECT_EQ(parsed("http://" + host).host().size(), 253U);
  EXPECT_EQ(parsed("http://" + host + ".").host().size(), 253U);
  expect_refusals({{"http://" + host + "b", "a host of more than 253 bytes"},
                   {"http://h/" + std::string(65536, 'a'), "longer than 65536 bytes"},
                   {"http://h/" + std::string(30000, '{'), "longer than 65536 bytes when percent-encoded"}});
}

TEST(Url, refuses_bad_ports) {
  expect_refusals({{"http://h:/", "an empty port after \":\" at byte 9"},
                   {"http://h:", "an empty port"},
                   {"http://h:0/", "starts with 0"},
                   {"http://h:080/", "starts with 0"},
                   {"http://h:65536/", "above 65535 at byte 9"},
                   {"http://h:99999999999999999999/", "above 65535"},
                   {"http://h:-1/", "not a number at byte 9"},
                   {"http://h:+1/", "not a number"},
                   {"http://h:8o/", "not a number at byte 10"},
                   {"http://h: 80/", "not a number"},
                   {"http://h:80 /", "not a number"},
                   {"http://h:80:81/", "a second \":\""},
                   {"http://[::1]:/", "an empty port"}});
}

TEST(Url, reads_userinfo_decoded) {
  EXPECT_EQ(parsed("http://u@h").user(), "u");
  EXPECT_EQ(parsed("http://u@h").password(), "");
  EXPECT_EQ(parsed("http://:p@h").password(), "p");
  EXPECT_EQ(parsed("http://a%3Ab:c:d%2F@h").user(), "a:b");
  EXPECT_EQ(parsed("http://a%3Ab:c:d%2F@h").password(), "c:d/");
}

TEST(Url, never_prints_userinfo) {
  const Url url = parsed("http://user:secret@h:81/p?q#f");
  EXPECT_EQ(url.text(), "http://h:81/p?q#f");
  EXPECT_EQ(url.authority(), "h:81");
  EXPECT_EQ(url.origin(), "http://h:81");
}

TEST(Url, refuses_userinfo_tricks_without_repeating_the_password) {
  for (const std::string_view text :
       {"http://user:secret@b@h/", "http://user:secret\\@h/", "http://user:sec ret@h/", "http://user:secret%@h/",
        "http://user:secret%0d%0a@h/", "http://user:secret%00@h/", "http://user:secret\xC3\xA4@h/",
        "http://user:secret[@h/", "http://user:secret@h:x/", "http://user:secret@", "http://user:secret@h/ ",
        "http://@h/"}) {
    EXPECT_EQ(failure(text).find("secret"), std::string::npos);
    EXPECT_EQ(failure(text).find("sec"), failure(text).find("second")) << failure(text);
  }
  expect_refusals({{"http://a@b@h/", "a second \"@\" in the authority (write %40 in a password) at byte 10"}});
}

TEST(Url, keeps_legal_characters_of_path_query_and_fragment_as_they_are) {
  const std::string path = "/aZ09-._~!$&'()*+,;=:@/%41%2f%C3%A4//x";
  const Url url = parsed("http://h" + path + "?" + path + "?" + "#" + path + "?");
  EXPECT_EQ(url.path(), path);
  EXPECT_EQ(url.query(), path + "?");
  EXPECT_EQ(url.fragment(), path + "?");
}

TEST(Url, percent_encodes_utf_8_and_what_browsers_tolerate) {
  EXPECT_EQ(parsed("http://h/\xC3\xA4\xE2\x82\xAC?\xF0\x9F\x98\x80#\xC3\xA4").text(),
            "http://h/%C3%A4%E2%82%AC?%F0%9F%98%80#%C3%A4");
  EXPECT_EQ(parsed("http://h/\"<>`{}|^[]x").path(), "/%22%3C%3E%60%7B%7D%7C%5E%5B%5Dx");
  EXPECT_EQ(parsed("http://h/?a[]={\"b\"}").query(), "a%5B%5D=%7B%22b%22%7D");
  EXPECT_EQ(parsed("http://h/#a#b").fragment(), "a%23b");
}

TEST(Url, refuses_what_is_neither_legal_nor_tolerated_in_path_query_and_fragment) {
  expect_refusals({{"http://h/a b", "a space at byte 10"},
                   {"http://h/a?b c", "a space at byte 12"},
                   {"http://h/a#b c", "a space at byte 12"},
                   {"http://h/ ", "a space"},
                   {"http://h/a\\b", "a backslash at byte 10"},
                   {"http://h/?a\\b", "a backslash"},
                   {"http://h/\r\nX: y", "control character (\\r) at byte 9"},
                   {"http://h/?\n", "control character (\\n)"},
                   {std::string("http://h/\0", 10), "control character (\\x00)"},
                   {"http://h/\x7F", "control character"},
                   {"http://h/%", "two hex digits (write %25) at byte 9"},
                   {"http://h/%4", "two hex digits"},
                   {"http://h/%4g", "two hex digits"},
                   {"http://h/?100%", "two hex digits"},
                   {"http://h/#%zz", "two hex digits"},
                   {"http://h/\xC3", "not UTF-8 at byte 9"},
                   {"http://h/\xC0\x80", "not UTF-8"},
                   {"http://h/\xED\xA0\x80", "not UTF-8"},
                   {"http://h/\xF5\x80\x80\x80", "not UTF-8"}});
}

TEST(Url, removes_dot_segments_also_encoded_ones) {
  struct Case {
    std::string_view path, expected;
  };
  for (const Case& c : std::vector<Case>{{"/.", "/"},
                                         {"/..", "/"},
                                         {"/a/..", "/"},
                                         {"/a/.", "/a/"},
                                         {"/a/b/../c", "/a/c"},
                                         {"/a/./b", "/a/b"},
                                         {"/../../a", "/a"},
                                         {"/a/b/../../../c/", "/c/"},
                                         {"/%2e%2E/a", "/a"},
                                         {"/a/.%2e/b", "/b"},
                                         {"/a/%2e", "/a/"},
                                         {"/a//../b", "/a/b"},
                                         {"/..a/b..", "/..a/b.."},
                                         {"/...", "/..."},
                                         {"/%2ea", "/%2ea"},
                                         {"/a.b", "/a.b"},
                                         {"/..//evil", "//evil"}}) {
    EXPECT_EQ(parsed("http://h" + std::string(c.path)).path(), c.expected) << c.path;
  }
  EXPECT_EQ(parsed("http://h/a?/../b#/../c").text(), "http://h/a?/../b#/../c") << "in paths only";
}

// RFC 3986 section 5.4, without the schemes that we do not speak; an empty expectation is a refusal.
TEST(Url, resolves_the_examples_of_rfc_3986) {
  const Url base = parsed("http://a/b/c/d;p?q");
  struct Case {
    std::string_view reference, expected;
  };
  for (const Case& c : std::vector<Case>{{"g", "http://a/b/c/g"},
                                         {"./g", "http://a/b/c/g"},
                                         {"g/", "http://a/b/c/g/"},
                                         {"/g", "http://a/g"},
                                         {"//g", "http://g/"},
                                         {"?y", "http://a/b/c/d;p?y"},
                                         {"g?y", "http://a/b/c/g?y"},
                                         {"#s", "http://a/b/c/d;p?q#s"},
                                         {"g#s", "http://a/b/c/g#s"},
                                         {"g?y#s", "http://a/b/c/g?y#s"},
                                         {";x", "http://a/b/c/;x"},
                                         {"g;x", "http://a/b/c/g;x"},
                                         {"", "http://a/b/c/d;p?q"},
                                         {".", "http://a/b/c/"},
                                         {"./", "http://a/b/c/"},
                                         {"..", "http://a/b/"},
                                         {"../", "http://a/b/"},
                                         {"../g", "http://a/b/g"},
                                         {"../..", "http://a/"},
                                         {"../../g", "http://a/g"},
                                         {"../../../g", "http://a/g"},
                                         {"/./g", "http://a/g"},
                                         {"/../g", "http://a/g"},
                                         {"g.", "http://a/b/c/g."},
                                         {".g", "http://a/b/c/.g"},
                                         {"./../g", "http://a/b/g"},
                                         {"g/./h", "http://a/b/c/g/h"},
                                         {"g/../h", "http://a/b/c/h"},
                                         {"g?y/../x", "http://a/b/c/g?y/../x"},
                                         {"https://x:1/y", "https://x:1/y"},
                                         {"?", "http://a/b/c/d;p?"},
                                         {"a b", ""}}) {
    const auto url = base.resolve(c.reference);
    if (c.expected.empty()) {
      EXPECT_FALSE(url) << c.reference;
      continue;
    }
    ASSERT_TRUE(url) << c.reference << ": " << url.error().message;
    EXPECT_EQ(url->text(), c.expected) << c.reference;
    EXPECT_EQ(parsed(c.expected).target(), url->target()) << c.reference;
  }
}

TEST(Url, resolves_with_the_offsets_of_the_reference) {
  const Url base = parsed("https://u:p@a:1/b");
  EXPECT_NE(failure(base.resolve("//h h"), "//h h").find("a space in the host at byte 3"), std::string::npos);
  EXPECT_NE(failure(base.resolve("/x y"), "/x y").find("a space at byte 2"), std::string::npos);
  failure(base.resolve("ftp://x"), "ftp://x");
  failure(base.resolve("https:x"), "https:x");
  failure(base.resolve(" /x"), " /x");
  failure(base.resolve("\\\\evil\\x"), "backslashes");
  failure(base.resolve("/\\evil"), "backslash");
}

TEST(Url, resolve_keeps_userinfo_within_the_authority_only) {
  const Url base = parsed("https://u:p@a:1/b");
  EXPECT_EQ(base.resolve("/x")->user(), "u");
  EXPECT_EQ(base.resolve("//other/x")->user(), "");
  EXPECT_EQ(base.resolve("https://a:1/x")->user(), "");
}

TEST(Url, remembers_that_a_name_ended_with_a_dot) {
  const Url rooted = parsed("http://DB.example.:8080/a?b");
  EXPECT_TRUE(rooted.rooted());
  EXPECT_EQ(rooted.host(), "db.example");
  EXPECT_EQ(rooted.authority(), "db.example:8080") << "what the peer is told";
  EXPECT_EQ(rooted.text(), "http://db.example.:8080/a?b");
  EXPECT_EQ(rooted.origin(), "http://db.example.:8080");
  EXPECT_EQ(rooted.resolve("/c")->text(), "http://db.example.:8080/c");
  EXPECT_EQ(rooted.resolve("//db.example:8080/c")->text(), "http://db.example:8080/c");
  EXPECT_FALSE(rooted == parsed("http://db.example:8080/a?b"));
  EXPECT_EQ(parsed("https://h./").text(), "https://h./");
  EXPECT_FALSE(parsed("https://h/").rooted());
}

TEST(Url, prints_what_parses_to_the_same) {
  for (const std::string_view text : {"http://h/", "https://H.example.:443/a/../b?c#d", "ws://[0::1]:80/",
                                      "wss://1.2.3.4:1?", "http://h/\xC3\xA4{}"}) {
    const Url url = parsed(text);
    EXPECT_EQ(parsed(url.text()).text(), url.text());
    EXPECT_EQ(parsed(url.text()).rooted(), url.rooted());
    EXPECT_EQ(parsed(url.text()).target(), url.target());
    EXPECT_EQ(parsed(url.text()).origin(), url.origin());
  }
}

}  // namespace url_test
}  // namespace trunkline
