// Every case is read whole, byte by byte, and cut in two at every byte; `reading` fails when these differ.
#include "http1/request_decoder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_by_byte.h"
#include "http1/request_transcript.h"

namespace trunkline::http1 {
namespace request_decoder_test {

using Event = RequestDecoder::Event;

std::string reading(std::string_view bytes, const RequestLimits& limits = {}) {
  const std::string whole = request_transcript({bytes}, limits);
  EXPECT_EQ(request_transcript(byte_by_byte(bytes), limits), whole) << "byte by byte";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    EXPECT_EQ(request_transcript({bytes.substr(0, cut), bytes.substr(cut)}, limits), whole) << "cut at " << cut;
  }
  return whole;
}

// The last word only: what a table of refusals needs.
std::string verdict(std::string_view bytes, const RequestLimits& limits = {}) {
  const std::string text = reading(bytes, limits);
  const std::size_t semicolon = text.rfind("; ");
  return semicolon == std::string::npos ? text : text.substr(semicolon + 2);
}

RequestRefusal refusal_of(std::string_view bytes) {
  RequestDecoder decoder;
  for (;;) {
    const Event event = decoder.next(bytes);
    if (event == Event::error) return decoder.refusal();
    if (event == Event::need_more || event == Event::end) break;
  }
  ADD_FAILURE() << "expected a refusal";
  return {};
}

std::string join(std::string_view first, std::string_view second, std::string_view third = {}) {
  std::string all;
  return all.append(first).append(second).append(third);
}
std::string line(std::string_view request_line) { return join(request_line, "\r\nHost: a\r\n\r\n"); }
std::string with_field(std::string_view field) { return join("GET / HTTP/1.1\r\nHost: a\r\n", field, "\r\n\r\n"); }
std::string chunked(std::string_view body) {
  return join("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body);
}

TEST(Http1Request, reads_a_request_without_body) {
  EXPECT_EQ(reading("GET /a?b=c HTTP/1.1\r\nHost: a:80\r\nX-Name:  a b\t\r\n\r\n"),
            "GET /a?b=c [Host=a:80] [X-Name=a b]; end reusable");
}

TEST(Http1Request, reads_a_body_of_known_length) {
  EXPECT_EQ(reading("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
            "POST / [Host=a] [Content-Length=5] length 5; data hello; end reusable");
  EXPECT_EQ(reading("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
            "POST / [Host=a] [Content-Length=0]; end reusable");
}

TEST(Http1Request, reads_chunks_and_trailers) {
  EXPECT_EQ(reading(chunked("5;x=y\r\nhello\r\n06\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n")),
            "POST / [Host=a] [Transfer-Encoding=chunked] chunked; data hello world; end [X-Sum=1] reusable");
}

TEST(Http1Request, leaves_the_next_request_in_the_input) {
  RequestDecoder decoder;
  std::string_view input = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(decoder.next(input), Event::head);
  EXPECT_EQ(decoder.next(input), Event::end);
  EXPECT_EQ(decoder.next(input), Event::end);
  EXPECT_TRUE(input.starts_with("GET /2"));
  decoder.begin();
  EXPECT_FALSE(decoder.started());
  EXPECT_EQ(decoder.next(input), Event::head);
  EXPECT_EQ(decoder.head().target, "/2");
  EXPECT_TRUE(input.empty());
}

TEST(Http1Request, reads_requests_in_a_row) {
  EXPECT_EQ(reading("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" + chunked("1\r\nx\r\n0\r\n\r\n") + line("HEAD /3 HTTP/1.1")),
            "GET /1 [Host=a]; end reusable; "
            "POST / [Host=a] [Transfer-Encoding=chunked] chunked; data x; end reusable; "
            "HEAD /3 [Host=a]; end reusable");
}

TEST(Http1Request, forgets_the_request_before) {
  EXPECT_EQ(
      reading("OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: upgrade\r\n"
              "Upgrade: x\r\n\r\nyGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
      "OPTIONS * [Host=a] [Expect=100-continue] [Content-Length=1] [Connection=upgrade] [Upgrade=x] length 1 "
      "expects continue wants upgrade; data y; end reusable; GET / [Host=a]; end reusable");
}

TEST(Http1Request, skips_one_empty_line_before_a_request) {
  EXPECT_EQ(verdict("\r\n" + line("GET / HTTP/1.1")), "end reusable");
  EXPECT_EQ(verdict("\r\n\r\n" + line("GET / HTTP/1.1")), "400");
  EXPECT_EQ(verdict("\n" + line("GET / HTTP/1.1")), "400");
  EXPECT_EQ(verdict("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "400");
}

TEST(Http1Request, knows_whether_a_request_has_begun) {
  RequestDecoder decoder;
  std::string_view input = "\r\n";
  EXPECT_EQ(decoder.next(input), Event::need_more);
  EXPECT_FALSE(decoder.started());
  EXPECT_EQ(decoder.finish(), Event::end);
  decoder.begin();
  input = "G";
  EXPECT_EQ(decoder.next(input), Event::need_more);
  EXPECT_TRUE(decoder.started());
  EXPECT_EQ(decoder.finish(), Event::error);
}

TEST(Http1Request, is_refused_when_the_client_closes_within_it) {
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHos"), "400");
  EXPECT_EQ(verdict("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell"), "400");
  EXPECT_EQ(verdict(chunked("5\r\nhello")), "400");
  EXPECT_EQ(verdict(chunked("0\r\n")), "400");
}

TEST(Http1Request, keeps_the_connection_by_the_rules_of_its_version) {
  EXPECT_EQ(verdict(with_field("Connection: keep-alive")), "end reusable");
  EXPECT_EQ(verdict(with_field("Connection: close")), "end");
  EXPECT_EQ(verdict(with_field("Connection: x, Close")), "end");
  EXPECT_EQ(verdict(with_field("Connection: x\r\nConnection: close")), "end");
  EXPECT_EQ(verdict(with_field("Connection: keep-alive, close")), "end");
  EXPECT_EQ(verdict("GET / HTTP/1.0\r\n\r\n"), "end");
  EXPECT_EQ(verdict("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), "end reusable");
}

// --- the request line

TEST(Http1Request, refuses_a_request_line_that_is_not_exact) {
  for (const std::string_view text : {" GET / HTTP/1.1",       "GET  / HTTP/1.1",        "GET /  HTTP/1.1",
                                      "GET / HTTP/1.1 ",       "GET\t/ HTTP/1.1",        "GET /",
                                      "GET / http/1.1",        "GET / HTTP/1.1x",        "GET / HTTP/11.1",
                                      "GET / HTTP/1.",         "GET / XTTP/1.1",         "G:T / HTTP/1.1",
                                      "G\xC3\xA9T / HTTP/1.1", "GET /a b HTTP/1.1",      "GET /\x7F HTTP/1.1",
                                      "GET /\x01 HTTP/1.1",    "GET /\xC3\xA9 HTTP/1.1", "GET /a#b HTTP/1.1",
                                      "GET /\rx HTTP/1.1",     "GET / HTTP/1.1\r"}) {
    EXPECT_EQ(verdict(line(text)), "400") << text;
  }
  EXPECT_EQ(verdict(line(std::string_view("GET /\0 HTTP/1.1", 15))), "400");
  EXPECT_EQ(verdict("GET / HTTP/1.1\nHost: a\r\n\r\n"), "400");
}

TEST(Http1Request, refuses_other_versions_with_505) {
  for (const std::string_view text : {"GET / HTTP/1.2", "GET / HTTP/2.0", "GET / HTTP/0.9", "PRI * HTTP/2.0"}) {
    EXPECT_EQ(verdict(line(text)), "505") << text;
  }
}

TEST(Http1Request, refuses_a_method_of_absurd_length_with_501) {
  EXPECT_EQ(verdict(line(join(std::string(32, 'X'), " / HTTP/1.1"))), "end reusable");
  EXPECT_EQ(verdict(line(join(std::string(33, 'X'), " / HTTP/1.1"))), "501");
}

TEST(Http1Request, tells_another_protocol_by_its_first_byte) {
  std::string_view input = "\x16\x03\x01";
  RequestDecoder decoder;
  EXPECT_EQ(decoder.next(input), Event::error);
  EXPECT_NE(decoder.refusal().what.find("TLS"), std::string::npos);
}

TEST(Http1Request, takes_a_target_whose_form_fits_the_method) {
  EXPECT_EQ(verdict(line("OPTIONS * HTTP/1.1")), "end reusable");
  EXPECT_EQ(verdict(line("GET http://a/b HTTP/1.1")), "end reusable");
  EXPECT_EQ(verdict(line("GET HTTPS://A?b HTTP/1.1")), "end reusable");
  EXPECT_EQ(verdict(line("CONNECT a:443 HTTP/1.1")), "end reusable");
  EXPECT_EQ(verdict(line("CONNECT [::1]:443 HTTP/1.1")), "end reusable");
  for (const std::string_view text :
       {"GET * HTTP/1.1", "GET a HTTP/1.1", "GET a:80 HTTP/1.1", "GET ftp://a/ HTTP/1.1", "GET http:///b HTTP/1.1",
        "GET http://u@a/ HTTP/1.1", "CONNECT / HTTP/1.1", "CONNECT a HTTP/1.1", "CONNECT [::1] HTTP/1.1",
        "CONNECT http://a:1/ HTTP/1.1", "GET http://a\\b/ HTTP/1.1"}) {
    EXPECT_EQ(verdict(line(text)), "400") << text;
  }
}

TEST(Http1Request, refuses_a_target_that_names_another_host_than_the_host_field) {
  EXPECT_EQ(verdict(line("GET http://b/ HTTP/1.1")), "400");
  EXPECT_EQ(verdict(line("GET http://a:80/ HTTP/1.1")), "400");
  EXPECT_EQ(verdict("GET http://b/ HTTP/1.0\r\n\r\n"), "end");
}

// --- Host

TEST(Http1Request, has_exactly_one_valid_host) {
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\n\r\n"), "400");
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), "400");
  EXPECT_EQ(verdict("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), "400");
  for (const std::string_view host :
       {"", "a b", "a,b", "u@a", "a/b", "a:", "a:b", "a:123456", "[::1", "::1", "a\\b", ":80"}) {
    EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), "400") << host;
  }
  for (const std::string_view host : {"a", "A.b-c.d_e", "a:8080", "127.0.0.1", "[::1]", "[::1]:80"}) {
    EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), "end reusable") << host;
  }
}

// --- fields

TEST(Http1Request, refuses_fields_that_can_be_read_in_two_ways) {
  for (const std::string_view field :
       {"X: a\r\n b", "X: a\r\n\tb", "X : a", "X\t: a", ": a", "X", "X\r\nY: a", "X: a\rb", "X: a\nY: b", "X: \x01",
        "X: \x7F", "X y: a", "X(: a", "\xC3\xA9: a"}) {
    EXPECT_EQ(verdict(with_field(field)), "400") << field;
  }
  EXPECT_EQ(verdict(with_field(std::string_view("X: a\0b", 6))), "400");
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), "400") << "a space before the first field";
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\n X: b\r\nHost: a\r\n\r\n"), "400");
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHost: a\r\n\n"), "400");
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHost: a\n\r\n"), "400");
}

TEST(Http1Request, never_shows_a_value_in_a_refusal) {
  const RequestRefusal refusal = refusal_of(with_field("Content-Length: secret"));
  EXPECT_EQ(refusal.status, 400);
  EXPECT_EQ(refusal.what, "the request was refused: the field Content-Length is not one decimal number below 2^64");
}

TEST(Http1Request, reports_what_it_expects) {
  EXPECT_EQ(reading("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx"),
            "POST / [Host=a] [Expect=100-Continue] [Content-Length=1] length 1 expects continue; data x; end reusable");
  EXPECT_EQ(verdict(with_field("Expect: 200-ok")), "417");
  // Without a body to wait with, and from HTTP/1.0, it means nothing.
  EXPECT_EQ(reading(with_field("Expect: 100-continue")), "GET / [Host=a] [Expect=100-continue]; end reusable");
  EXPECT_EQ(reading("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"),
            "POST / (1.0) [Expect=100-continue] [Content-Length=1] length 1; data x; end");
}

TEST(Http1Request, wants_an_upgrade_only_when_connection_says_so) {
  EXPECT_NE(reading(with_field("Connection: keep-alive, Upgrade\r\nUpgrade: websocket")).find("wants upgrade"),
            std::string::npos);
  EXPECT_EQ(reading(with_field("Upgrade: websocket")).find("wants upgrade"), std::string::npos);
  EXPECT_EQ(reading(with_field("Connection: upgrade")).find("wants upgrade"), std::string::npos);
  EXPECT_EQ(reading("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").find("wants upgrade"),
            std::string::npos);
}

// --- framing

TEST(Http1Request, refuses_two_ways_to_say_where_the_body_ends) {
  for (const std::string_view fields :
       {"Content-Length: 1\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Content-Length: 0\r\nTransfer-Encoding: chunked", "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1, 1", "Content-Length: +1", "Content-Length: -1",
        "Content-Length: 0x1", "Content-Length: 1 1", "Content-Length:", "Content-Length: 1;", "Content-Length: 1.0",
        "Content-Length: 18446744073709551616"}) {
    EXPECT_EQ(verdict(with_field(fields)), "400") << fields;
  }
}

TEST(Http1Request, takes_chunked_alone_as_a_transfer_coding) {
  EXPECT_EQ(verdict("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  Chunked \r\n\r\n0\r\n\r\n"), "end reusable");
  for (const std::string_view value : {"identity", "identity, chunked", "chunked, gzip", "chunked, chunked", "xchunked",
                                       "chunked;x=y", "\"chunked\"", "gzip", "", ",", "chunked,",
                                       "\x0B"
                                       "chunked"}) {
    EXPECT_EQ(verdict(with_field("Transfer-Encoding: " + std::string(value))), "400") << value;
  }
  EXPECT_EQ(verdict(with_field("Transfer-Encoding: gzip, chunked")), "501");
  EXPECT_EQ(verdict(with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")), "400");
  EXPECT_EQ(verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "400");
}

TEST(Http1Request, refuses_connect_with_a_body) {
  EXPECT_EQ(verdict("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\nx"), "400");
  EXPECT_EQ(verdict("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "400");
}

TEST(Http1Request, refuses_chunks_that_are_not_exact) {
  for (const std::string_view body :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-1\r\n", "\r\n", "g\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n", "11111111111111111\r\n", "0\r\n\n", "0\r\nX : y\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n"}) {
    EXPECT_EQ(verdict(chunked(body)), "400") << body;
  }
}

TEST(Http1Request, refuses_trailers_that_mean_something_in_a_head) {
  for (const std::string_view name : {"Content-Length", "Transfer-Encoding", "Host", "Authorization", "Cookie",
                                      "Connection", "Content-Type", "Trailer", "TE"}) {
    EXPECT_EQ(verdict(chunked("0\r\n" + std::string(name) + ": 1\r\n\r\n")), "400") << name;
  }
}

// --- limits

TEST(Http1Request, bounds_the_request_line) {
  const RequestLimits limits{.request_line_bytes = 20};
  EXPECT_EQ(verdict("GET /1234 HTTP/1.1\r\nHost: a\r\n\r\n", limits), "end reusable");
  EXPECT_EQ(verdict("GET /12345 HTTP/1.1\r\nHost: a\r\n\r\n", limits), "414");
  EXPECT_EQ(verdict("GET /" + std::string(30, 'x'), limits), "414") << "before its end has come";
}

TEST(Http1Request, bounds_the_fields) {
  const std::string head = "GET / HTTP/1.1\r\n";
  const RequestLimits limits{.field_bytes = 20};
  EXPECT_EQ(verdict(head + "Host: a\r\nX: 123\r\n\r\n", limits), "end reusable");
  EXPECT_EQ(verdict(head + "Host: a\r\nX: 12345\r\n\r\n", limits), "431");
  EXPECT_EQ(verdict(head + "Host: a\r\nX: 1234567\r\n\r\n", limits), "431");
  EXPECT_EQ(verdict(head + "Host: a\r\nX: " + std::string(20, 'x'), limits), "431") << "before its end has come";
  EXPECT_EQ(verdict(head + "Host: a\r\nA:\r\nB:\r\n\r\n", {.field_count = 3}), "end reusable");
  EXPECT_EQ(verdict(head + "Host: a\r\nA:\r\nB:\r\nC:\r\n\r\n", {.field_count = 3}), "431");
}

TEST(Http1Request, counts_trailers_with_the_fields) {
  const std::string body = "0\r\nA: 1\r\nB: 2\r\n\r\n";
  EXPECT_EQ(verdict(chunked(body), {.field_count = 4}), "end [A=1] [B=2] reusable");
  EXPECT_EQ(verdict(chunked(body), {.field_count = 3}), "431");
  const std::size_t head_bytes = chunked({}).size() - std::string_view("POST / HTTP/1.1\r\n").size();
  EXPECT_EQ(verdict(chunked(body), {.field_bytes = head_bytes + 14}), "end [A=1] [B=2] reusable");
  EXPECT_EQ(verdict(chunked(body), {.field_bytes = head_bytes + 13}), "431");
}

TEST(Http1Request, bounds_the_body) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(verdict(head + "Content-Length: 5\r\n\r\nhello", {.body_bytes = 5}), "end reusable");
  EXPECT_EQ(reading(head + "Content-Length: 6\r\n\r\n", {.body_bytes = 5}), "413") << "before any of it is read";
  EXPECT_EQ(verdict(chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), {.body_bytes = 5}), "end reusable");
  EXPECT_EQ(verdict(chunked("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"), {.body_bytes = 5}), "413");
}

TEST(Http1Request, lets_the_router_lower_the_limit_of_the_body) {
  RequestDecoder decoder({.body_bytes = 100});
  std::string_view input = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef";
  EXPECT_EQ(decoder.next(input), Event::head);
  EXPECT_FALSE(decoder.limit_body(5));
  EXPECT_EQ(decoder.next(input), Event::error);
  EXPECT_EQ(decoder.refusal().status, 413);
  EXPECT_FALSE(decoder.keep_alive());

  decoder.begin();
  const std::string chunks = chunked("6\r\nabcdef\r\n0\r\n\r\n");
  input = chunks;
  EXPECT_EQ(decoder.next(input), Event::head);
  EXPECT_TRUE(decoder.limit_body(5));
  EXPECT_EQ(decoder.next(input), Event::error);
  EXPECT_EQ(decoder.refusal().status, 413);

  decoder.begin();
  input = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n";
  EXPECT_EQ(decoder.next(input), Event::error) << "the next request has the limit of all again";
  decoder.begin();
  input = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
  EXPECT_EQ(decoder.next(input), Event::head);
}

TEST(Http1Request, bounds_chunk_lines_and_their_extensions) {
  const std::string extension(10, 'x');
  EXPECT_EQ(verdict(chunked("1;" + extension + "\r\na\r\n0\r\n\r\n"), {.chunk_line_bytes = 14}), "end reusable");
  EXPECT_EQ(verdict(chunked("1;" + extension + "\r\na\r\n0\r\n\r\n"), {.chunk_line_bytes = 13}), "400");
  const std::string two = "1;" + extension + "\r\na\r\n1;" + extension + "\r\nb\r\n0\r\n\r\n";
  EXPECT_EQ(verdict(chunked(two), {.chunk_extension_bytes = 22}), "end reusable");
  EXPECT_EQ(verdict(chunked(two), {.chunk_extension_bytes = 21}), "413");
}

TEST(Http1Request, says_nothing_after_an_error) {
  RequestDecoder decoder;
  std::string_view input = "GET\r\n";
  EXPECT_EQ(decoder.next(input), Event::error);
  input = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(decoder.next(input), Event::error);
  EXPECT_EQ(decoder.finish(), Event::error);
}

}  // namespace request_decoder_test
}  // namespace trunkline::http1
