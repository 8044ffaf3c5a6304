// Every case is read whole, byte by byte, and cut in two at every byte; `reading` fails when these differ.
#include "http1/response_decoder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_by_byte.h"
#include "http1/decoder_transcript.h"

namespace trunkline::http1 {
namespace response_decoder_test {

using Event = ResponseDecoder::Event;

std::string reading(std::string_view bytes, const TranscriptSetup& setup = {}) {
  std::string whole = transcript({bytes}, setup);
  EXPECT_EQ(transcript(byte_by_byte(bytes), setup), whole) << "byte by byte";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    EXPECT_EQ(transcript({bytes.substr(0, cut), bytes.substr(cut)}, setup), whole) << "cut at " << cut;
  }
  return whole;
}

// The last word only: what a table of refusals needs.
std::string verdict(std::string_view bytes, const TranscriptSetup& setup = {}) {
  const std::string text = reading(bytes, setup);
  const std::size_t semicolon = text.rfind("; ");
  return semicolon == std::string::npos ? text : text.substr(semicolon + 2);
}

Error error_of(std::string_view bytes, const TranscriptSetup& setup = {}) {
  ResponseDecoder decoder(setup.limits);
  decoder.begin(setup.request);
  for (;;) {
    const Event event = decoder.next(bytes);
    if (event == Event::error) return decoder.error();
    if (event == Event::need_more || event == Event::end) break;
  }
  EXPECT_EQ(decoder.finish(), Event::error) << "expected an error";
  return decoder.error();
}

constexpr std::string_view refused = "error invalid_response";
constexpr std::string_view too_much = "error limit_exceeded";
constexpr std::string_view truncated = "error truncated_body";

std::string with_field(std::string_view line) {
  return "HTTP/1.1 200 OK\r\n" + std::string(line) + "\r\nContent-Length: 0\r\n\r\n";
}

std::string chunked(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
}

TEST(Http1Response, reads_a_head_and_a_body_of_known_length) {
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: a b\r\n\r\nhello"),
            "head 200 OK [Content-Length=5] [X-Name=a b] length 5; data hello; end reusable");
}

TEST(Http1Response, gives_back_the_bytes_after_the_response) {
  EXPECT_EQ(reading("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n"),
            "head 204 No Content; end reusable rest HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"),
            "head 200 OK [Content-Length=1] length 1; data a; end reusable rest b");
  EXPECT_EQ(reading(chunked("1\r\na\r\n0\r\n\r\nb")),
            "head 200 OK [Transfer-Encoding=chunked] chunked; data a; end reusable rest b");
}

TEST(Http1Response, trims_spaces_around_values_and_keeps_names_as_sent) {
  EXPECT_EQ(reading("HTTP/1.1 304 \r\nx-a:  \t v \t \r\nEMPTY:\r\nX-B:\t\r\n\r\n"),
            "head 304  [x-a=v] [EMPTY=] [X-B=]; end reusable");
}

TEST(Http1Response, keeps_tabs_and_bytes_above_ascii_within_values) {
  EXPECT_EQ(reading("HTTP/1.1 204 a\tb\r\nA: 12345678\t12345678\xC3\xA4\xFF!\r\n\r\n"),
            "head 204 a\tb [A=12345678\t12345678\xC3\xA4\xFF!]; end reusable");
}

TEST(Http1Response, reads_a_status_line_without_reason) {
  EXPECT_EQ(reading("HTTP/1.1 204\r\n\r\n"), "head 204 ; end reusable");
  EXPECT_EQ(reading("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
            "head 999 Odd [Content-Length=0] length 0; end reusable");
}

TEST(Http1Response, reads_chunks_extensions_and_trailers) {
  EXPECT_EQ(reading(chunked("5\r\nhello\r\nA;x=\"1;2\";y\r\n0123456789\r\n00;last\r\nX-Sum: 7\r\nx-b: \r\n\r\n")),
            "head 200 OK [Transfer-Encoding=chunked] chunked; data hello0123456789; end [X-Sum=7] [x-b=] reusable");
  EXPECT_EQ(
      reading("HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\nfF\r\n" + std::string(255, 'x') + "\r\n0\r\n\r\n"),
      "head 200 OK [transfer-encoding=CHUNKED] chunked; data " + std::string(255, 'x') + "; end reusable");
}

TEST(Http1Response, reads_a_body_that_runs_to_the_close_and_does_not_reuse) {
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\n\r\nhello"), "head 200 OK until close; data hello; end");
  EXPECT_EQ(reading("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"),
            "head 200 OK (1.0) [Connection=keep-alive] until close; end");
}

TEST(Http1Response, ends_without_a_body_for_head_204_and_304_whatever_the_fields_say) {
  TranscriptSetup head;
  head.request.head = true;
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head),
            "head 200 OK [Content-Length=5]; end reusable");
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head),
            "head 200 OK [Transfer-Encoding=chunked]; end reusable");
  EXPECT_EQ(reading("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
            "head 304 Not Modified [Content-Length=5]; end reusable");
  EXPECT_EQ(reading("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n"), "head 204 No [Content-Length=0]; end reusable");
}

TEST(Http1Response, does_not_reuse_after_a_204_that_declares_a_body) {
  EXPECT_EQ(verdict("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"), "end");
  EXPECT_EQ(verdict("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"), "end");
}

TEST(Http1Response, reports_informational_responses_before_the_final_one) {
  EXPECT_EQ(reading("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 "
                    "OK\r\nContent-Length: 0\r\n\r\n"),
            "informational 100 Continue; informational 103 Early [Link=a]; head 200 OK [Content-Length=0] length 0; "
            "end reusable");
}

// Netty CVE-2026-42584 paired the 200 with the next request.
TEST(Http1Response, reads_103_then_200_to_head_as_one_response) {
  TranscriptSetup head;
  head.request.head = true;
  EXPECT_EQ(reading("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", head),
            "informational 103 Early; head 200 OK [Content-Length=9]; end reusable");
}

TEST(Http1Response, headers_of_an_informational_response_do_not_leak_into_the_final_one) {
  EXPECT_EQ(reading("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
            "informational 103 Early [Link=a]; head 204 No; end reusable");
}

TEST(Http1Response, bounds_the_number_of_informational_responses) {
  std::string flood;
  for (int i = 0; i < 11; ++i) flood += "HTTP/1.1 102 P\r\n\r\n";
  EXPECT_EQ(verdict(flood), too_much);
}

TEST(Http1Response, refuses_an_informational_response_with_a_body) {
  EXPECT_EQ(verdict("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"), refused);
  EXPECT_EQ(verdict("HTTP/1.1 103 Early\r\nTransfer-Encoding: chunked\r\n\r\n"), refused);
}

TEST(Http1Response, refuses_101_that_nobody_asked_for) {
  EXPECT_EQ(verdict("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), refused);
}

TEST(Http1Response, ends_http_at_101_and_leaves_the_rest_to_the_new_protocol) {
  TranscriptSetup setup;
  setup.request.upgrade = true;
  EXPECT_EQ(reading("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n\x81\x01x", setup),
            "head 101 S [Upgrade=websocket]; end upgraded rest \x81\x01x");
  EXPECT_EQ(verdict("HTTP/1.1 101 S\r\n\r\n", setup), refused) << "which protocol?";
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", setup), "end reusable") << "declined";
}

TEST(Http1Response, ends_http_at_2xx_to_connect_and_ignores_its_content_length) {
  TranscriptSetup setup;
  setup.request.connect = true;
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x16\x03", setup),
            "head 200 OK [Content-Length=3]; end upgraded rest \x16\x03");
}

// Go CVE-2026-56866: the rejected tunnel went back to the pool.
TEST(Http1Response, never_reuses_a_connection_whose_connect_was_rejected) {
  TranscriptSetup setup;
  setup.request.connect = true;
  EXPECT_EQ(reading("HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno", setup),
            "head 407 Auth [Content-Length=2] length 2; data no; end");
}

TEST(Http1Response, honours_connection_close_and_keep_alive) {
  struct Case {
    std::string_view version, fields, last;
  };
  for (const Case& c : std::vector<Case>{
           {"1.1", "", "end reusable"},
           {"1.1", "Connection: close\r\n", "end"},
           {"1.1", "Connection: CLOSE\r\n", "end"},
           {"1.1", "Connection: a ,\tclose , b\r\n", "end"},
           {"1.1", "Connection: keep-alive, close\r\n", "end"},
           {"1.1", "connection: keep-alive\r\nConnection: close\r\n", "end"},
           {"1.1", "Connection: closed\r\n", "end reusable"},
           {"1.0", "", "end"},
           {"1.0", "Connection: Keep-Alive\r\n", "end reusable"},
           {"1.0", "Connection: keep-alive, close\r\n", "end"},
       }) {
    const std::string bytes =
        "HTTP/" + std::string(c.version) + " 200 OK\r\n" + std::string(c.fields) + "Content-Length: 0\r\n\r\n";
    EXPECT_EQ(verdict(bytes), c.last) << bytes;
  }
}

TEST(Http1Response, reads_the_keep_alive_hint) {
  const auto hint = [](std::string_view value) {
    ResponseDecoder decoder;
    const std::string bytes = "HTTP/1.1 204 No\r\nKeep-Alive: " + std::string(value) + "\r\n\r\n";
    std::string_view input = bytes;
    EXPECT_EQ(decoder.next(input), Event::head);
    return decoder.keep_alive_timeout();
  };
  EXPECT_EQ(hint("timeout=5, max=100"), 5);
  EXPECT_EQ(hint("max=100, Timeout=0"), 0);
  EXPECT_EQ(hint("timeout=99999999999999999999"), -1);
  EXPECT_EQ(hint("timeout=9999999999"), 86400);
  EXPECT_EQ(hint("timeout=-1"), -1);
  EXPECT_EQ(hint("timeout"), -1);
  EXPECT_EQ(hint(""), -1);
}

TEST(Http1Response, refuses_a_status_line_that_is_not_http_1) {
  for (const std::string_view line :
       {"HTTP/2 200 OK",       "HTTP/1.2 200 OK",  "HTTP/1.10 200 OK", "HTTP/0.9 200 OK",  "http/1.1 200 OK",
        "ICY 200 OK",          "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 20 OK",   "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",     "HTTP/1.1 000 OK",  "HTTP/1.1 +20 OK",  "HTTP/1.1 2x0 OK",  "HTTP/1.1 200OK",
        "HTTP/1.1200 OK",      "HTTP/1.1",         " HTTP/1.1 200 OK", "HTTP/1.1 200\tOK", "SSH-2.0-x",
        "HTTP/1.1 200 O\x01K", "HTTP/1.1 200 \x7F"}) {
    EXPECT_EQ(verdict(std::string(line) + "\r\nContent-Length: 0\r\n\r\n"), refused) << line;
  }
}

TEST(Http1Response, refuses_empty_lines_before_the_status_line) {
  EXPECT_EQ(verdict("\r\nHTTP/1.1 200 OK\r\n\r\n"), refused);
  EXPECT_EQ(verdict("HTTP/1.1 100 C\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), refused);
}

TEST(Http1Response, refuses_another_protocol_at_its_first_wrong_byte) {
  TranscriptSetup waiting;
  waiting.closes = false;
  EXPECT_EQ(reading("SSH", waiting), refused);
  EXPECT_NE(error_of("\x15\x03\x03").message.find("TLS"), std::string::npos);
  EXPECT_NE(error_of(std::string_view("\0\0\x12\x04", 4)).message.find("HTTP/2"), std::string::npos);
  EXPECT_EQ(reading("HTTP/", waiting), "waiting");
}

TEST(Http1Response, refuses_field_lines_that_can_be_read_in_two_ways) {
  for (const std::string_view line : {"Name : v",
                                      "Name\t: v",
                                      ": v",
                                      "Name",
                                      " Name: v",
                                      "\tName: v",
                                      "A: b\r\n folded",
                                      "A: b\r\n\tfolded",
                                      "Na me: v",
                                      "N\xC3\xA4me: v",
                                      "Na(me: v",
                                      "A: b\rX: y",
                                      "A: b\r\rX: y",
                                      "A: b\nX: y",
                                      "A: b\n\r\nX: y",
                                      "A: \x01",
                                      "A: b\x7F",
                                      "A: 123456789012345\x0B",
                                      "A: b\x01\nX: y",
                                      "\rA: b",
                                      "A\r: b",
                                      "A:\rb"}) {
    EXPECT_EQ(verdict(with_field(line)), refused) << line;
  }
  EXPECT_EQ(verdict(with_field(std::string_view("A: b\0c", 6))), refused);
  EXPECT_EQ(verdict(with_field(std::string_view("A\0: c", 5))), refused);
}

TEST(Http1Response, refuses_bare_lf_anywhere_in_a_head) {
  for (const std::string_view bytes :
       {"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\x01\n\r\n",
        "HTTP/1.1 200\n\r\n"}) {
    EXPECT_EQ(verdict(bytes), refused) << bytes;
  }
}

TEST(Http1Response, refuses_bare_cr_anywhere_in_a_head) {
  for (const std::string_view bytes :
       {"HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n", "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\r\n"}) {
    EXPECT_EQ(verdict(bytes), refused) << bytes;
  }
}

TEST(Http1Response, refuses_content_length_with_transfer_encoding) {
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), refused);
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), refused);
}

TEST(Http1Response, refuses_every_content_length_but_one_plain_number) {
  for (const std::string_view value : {"+1", "-1", "0x1", "1 1", "1,1", "1, 1", "", "1;", "1.0", "1e3", "\"1\"",
                                       "18446744073709551616", "99999999999999999999999", "1\t2", "\xD9\xA1"}) {
    EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nContent-Length: " + std::string(value) + "\r\n\r\n1"), refused) << value;
  }
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nContent-Length:  1 \r\n\r\n1"), "end reusable") << "spaces around are no part";
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n1"), truncated);
}

TEST(Http1Response, refuses_two_content_lengths_even_equal_ones) {
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"), refused);
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n1"), refused);
}

TEST(Http1Response, refuses_every_transfer_encoding_but_chunked) {
  for (const std::string_view value :
       {"xchunked", "chunked, identity", "identity", "identity, chunked", "gzip, chunked", "chunked, chunked",
        "chunked,", "", "\"chunked\"", "chunked;q=1", "chunke",
        "\x0B"
        "chunked",
        "chunked\x0B", "chunked chunked"}) {
    EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + std::string(value) + "\r\n\r\n0\r\n\r\n"), refused)
        << value;
  }
  EXPECT_EQ(verdict("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            refused);
}

TEST(Http1Response, refuses_transfer_encoding_in_http_1_0) {
  EXPECT_EQ(verdict("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), refused);
}

// Go CVE-2025-22871 (bare LF), llhttp CVE-2022-32213 and others.
TEST(Http1Response, refuses_chunk_lines_that_can_be_read_in_two_ways) {
  for (const std::string_view body : {"5\nhello\r\n0\r\n\r\n",
                                      "5;a\nhello\r\n0\r\n\r\n",
                                      "55\nhello\r\n0\r\n\r\n",
                                      "5\r\nhello\n0\r\n\r\n",
                                      "5;a\nb\r\nhello\r\n0\r\n\r\n",
                                      "5\rhello\r\n",
                                      "5\r\r\nhello\r\n",
                                      "+5\r\nhello\r\n",
                                      "-5\r\nhello\r\n",
                                      "0x5\r\nhello\r\n",
                                      " 5\r\nhello\r\n",
                                      "5 \r\nhello\r\n",
                                      "5 ;a\r\nhello\r\n",
                                      "\r\nhello\r\n",
                                      ";a\r\n\r\n",
                                      "g\r\n",
                                      "5\r\nhelloX\r\n",
                                      "5\r\nhello0\r\n\r\n",
                                      "5\r\nhello\r0\r\n\r\n",
                                      "5;a\rb\r\nhello\r\n0\r\n\r\n",
                                      "5;\x01\r\nhello\r\n",
                                      "10000000000000000\r\n",
                                      "FFFFFFFFFFFFFFFFF\r\n",
                                      "0\n\r\n",
                                      "0\r\n\n",
                                      "0\r\nA: b\n\r\n",
                                      "0\r\n A: b\r\n\r\n",
                                      "0\r\nA : b\r\n\r\n",
                                      "0\r\nA: b\r\n c\r\n\r\n"}) {
    EXPECT_EQ(verdict(chunked(body)), refused) << body;
  }
}

TEST(Http1Response, reports_a_chunked_body_without_its_end_as_truncated) {
  for (const std::string_view body :
       {"", "5", "5\r", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r", "5\r\nhello\r\n", "5\r\nhello\r\n0", "0\r\n",
        "0\r\n\r", "0\r\nA: b\r\n", "FFFFFFFFFFFFFFFF\r\nx"}) {
    EXPECT_EQ(verdict(chunked(body)), truncated) << body;
  }
}

// Go CVE-2023-39326: extensions cost the reader far more than the sender.
TEST(Http1Response, bounds_chunk_extensions_per_line_and_per_response) {
  EXPECT_EQ(verdict(chunked("1;" + std::string(252, 'a') + "\r\nx\r\n0\r\n\r\n")), "end reusable");
  EXPECT_EQ(verdict(chunked("1;" + std::string(253, 'a') + "\r\nx\r\n0\r\n\r\n")), too_much);
  EXPECT_EQ(verdict(chunked(std::string(400, '0'))), too_much);
  TranscriptSetup setup;
  setup.limits.chunk_extension_bytes = 10;
  EXPECT_EQ(verdict(chunked("1;aaaa\r\nx\r\n1;aaaa\r\nx\r\n0\r\n\r\n"), setup), "end reusable");
  EXPECT_EQ(verdict(chunked("1;aaaa\r\nx\r\n1;aaaaa\r\nx\r\n0\r\n\r\n"), setup), too_much);
}

TEST(Http1Response, refuses_trailers_that_frame_route_or_authorise) {
  for (const std::string_view name :
       {"Content-Length", "transfer-encoding", "Host", "Connection", "Trailer", "TE", "Upgrade", "Keep-Alive",
        "Authorization", "Proxy-Authorization", "Set-Cookie", "Cookie", "Content-Type", "Content-Encoding",
        "Content-Range", "Location", "Proxy-Connection"}) {
    EXPECT_EQ(verdict(chunked("0\r\n" + std::string(name) + ": 1\r\n\r\n")), refused) << name;
  }
}

TEST(Http1Response, bounds_the_head_by_bytes) {
  TranscriptSetup setup;
  setup.limits.head_bytes = 60;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";  // 36 bytes
  EXPECT_EQ(verdict(head + "X: " + std::string(17, 'a') + "\r\n\r\n", setup), "end reusable") << "exactly 60";
  EXPECT_EQ(verdict(head + "X: " + std::string(18, 'a') + "\r\n\r\n", setup), too_much);
  setup.closes = false;
  EXPECT_EQ(reading(head + "X: " + std::string(30, 'a'), setup), too_much) << "without waiting for the end of the line";
}

TEST(Http1Response, shares_one_budget_among_informational_heads_final_head_and_trailers) {
  TranscriptSetup setup;
  setup.limits.head_bytes = 120;
  const std::string one = "HTTP/1.1 103 Early Hints\r\nLink: 1\r\n\r\n";  // 37 bytes
  EXPECT_EQ(verdict(one + one + "HTTP/1.1 204 No\r\n\r\n", setup), "end reusable");
  EXPECT_EQ(verdict(one + one + one + "HTTP/1.1 204 No\r\n\r\n", setup), too_much);
  EXPECT_EQ(verdict(one + chunked("0\r\nX-A: 1\r\n\r\n"), setup), "end [X-A=1] reusable");
  EXPECT_EQ(verdict(one + chunked("0\r\nX-A: " + std::string(50, '1') + "\r\n\r\n"), setup), too_much);
}

TEST(Http1Response, bounds_one_line) {
  TranscriptSetup setup;
  setup.limits.line_bytes = 40;
  const std::string head = "HTTP/1.1 204 No\r\n";
  EXPECT_EQ(verdict(head + "X: " + std::string(35, 'a') + "\r\n\r\n", setup), "end reusable") << "exactly 40";
  EXPECT_EQ(verdict(head + "X: " + std::string(36, 'a') + "\r\n\r\n", setup), too_much);
  EXPECT_EQ(verdict(head + std::string(41, 'a'), setup), too_much) << "a name that never ends";
  EXPECT_EQ(verdict("HTTP/1.1 200 " + std::string(41, 'a'), setup), too_much) << "a reason that never ends";
  EXPECT_EQ(verdict(chunked("0\r\nX: " + std::string(36, 'a') + "\r\n\r\n"), setup), too_much) << "trailers";
}

TEST(Http1Response, bounds_the_number_of_fields_over_head_and_trailers) {
  TranscriptSetup setup;
  setup.limits.field_count = 3;
  EXPECT_EQ(verdict("HTTP/1.1 204 No\r\nA:\r\nB:\r\nC:\r\n\r\n", setup), "end reusable");
  EXPECT_EQ(verdict("HTTP/1.1 204 No\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", setup), too_much);
  EXPECT_EQ(verdict("HTTP/1.1 103 E\r\nA:\r\nB:\r\n\r\nHTTP/1.1 204 No\r\nC:\r\nD:\r\n\r\n", setup), too_much);
  EXPECT_EQ(verdict(chunked("0\r\nA:\r\nB:\r\n\r\n"), setup), "end [A=] [B=] reusable");
  EXPECT_EQ(verdict(chunked("0\r\nA:\r\nB:\r\nC:\r\n\r\n"), setup), too_much);
}

TEST(Http1Response, says_how_far_the_peer_came_when_it_closes) {
  EXPECT_EQ(reading(""), "error connection_closed");
  EXPECT_EQ(reading("H"), truncated);
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), truncated);
  EXPECT_EQ(verdict("HTTP/1.1 100 C\r\n\r\n"), truncated);
  EXPECT_EQ(reading("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
            "head 200 OK [Content-Length=5] length 5; data hell; error truncated_body");
  EXPECT_EQ(error_of("").phase, Phase::first_byte);
  EXPECT_EQ(error_of("").kind, ErrorKind::disconnected);
  EXPECT_EQ(error_of("").maybe_processed, MaybeProcessed::unknown);
  EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").phase, Phase::body);
  EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").maybe_processed, MaybeProcessed::yes);
}

TEST(Http1Response, errors_name_the_field_but_never_its_value_and_are_printable) {
  const Error error = error_of("HTTP/1.1 200 OK\r\nContent-Length: secret\x1B[31m\r\n\r\n");
  EXPECT_EQ(error.code, ErrorCode::invalid_response);
  EXPECT_EQ(error.kind, ErrorKind::broken_peer);
  for (const std::string_view bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: secret\x01\r\n\r\n", "secret", "HTTP/1.1 200 sec\x1Bret\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nSet-Cookie: secret\r\n\r\n"}) {
    const std::string message = error_of(bytes).message;
    EXPECT_EQ(message.find("secret"), std::string::npos) << message;
    for (const char c : message) EXPECT_TRUE(c >= ' ' && c < 0x7F) << message;
  }
  EXPECT_NE(error_of("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").message.find("Content-Length"), std::string::npos);
}

TEST(Http1Response, stays_in_error_and_is_never_reusable_after_one) {
  ResponseDecoder decoder;
  std::string_view input = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
  EXPECT_EQ(decoder.next(input), Event::error);
  input = "HTTP/1.1 204 No\r\n\r\n";
  EXPECT_EQ(decoder.next(input), Event::error);
  EXPECT_EQ(decoder.finish(), Event::error);
  EXPECT_FALSE(decoder.keep_alive());
  EXPECT_FALSE(decoder.head_seen());
}

TEST(Http1Response, starts_anew_at_begin) {
  ResponseDecoder decoder;
  std::string_view broken = "HTTP/1.1 200 OK\r\nbroken";
  EXPECT_EQ(decoder.next(broken), Event::need_more);
  EXPECT_EQ(decoder.finish(), Event::error);
  for (int i = 0; i < 2; ++i) {
    decoder.begin({});
    EXPECT_FALSE(decoder.started());
    std::string_view input = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=3\r\n\r\nhi";
    EXPECT_EQ(decoder.next(input), Event::head);
    EXPECT_TRUE(decoder.head_seen());
    EXPECT_EQ(decoder.remaining(), 2U);
    EXPECT_EQ(decoder.next(input), Event::data);
    EXPECT_EQ(decoder.remaining(), 0U);
    EXPECT_FALSE(decoder.keep_alive()) << "only after end";
    EXPECT_EQ(decoder.next(input), Event::end);
    EXPECT_TRUE(decoder.keep_alive());
    EXPECT_EQ(decoder.keep_alive_timeout(), 3);
    EXPECT_EQ(decoder.next(input), Event::end) << "and again";
  }
}

// F18: bytes after the end stay in the input, for the owner to see that the connection is spoilt.
TEST(Http1Response, never_takes_bytes_after_the_end) {
  ResponseDecoder decoder;
  std::string_view input = "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 injected\r\n\r\n";
  EXPECT_EQ(decoder.next(input), Event::head);
  EXPECT_EQ(decoder.next(input), Event::end);
  EXPECT_EQ(decoder.next(input), Event::end);
  EXPECT_EQ(input, "HTTP/1.1 200 injected\r\n\r\n");
}

TEST(Http1Response, reads_many_fields_and_long_values) {
  std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  for (int i = 0; i < 100; ++i)
    bytes += "X-Field-" + std::to_string(i) + ": " + std::string(static_cast<unsigned>(i), 'v') + "\r\n";
  bytes += "\r\n";
  ResponseDecoder decoder;
  std::string_view input = bytes;
  ASSERT_EQ(decoder.next(input), Event::head);
  EXPECT_EQ(decoder.head().headers.size(), 101U);
  EXPECT_EQ(decoder.head().headers.get("x-field-99"), std::string(99, 'v'));
}

}  // namespace response_decoder_test
}  // namespace trunkline::http1
