// A hostile server's responses, byte by byte. Whatever can be read in two ways is an error, and after an error the
// connection carries nothing more.
#include "support/http_test.h"

namespace trunkline::test {
namespace {

using namespace std::string_literals;

class FramingTest : public HttpTest {
 protected:
  void expect_refused(std::string_view bytes, ErrorCode code = ErrorCode::invalid_response) {
    Listener& server = shared_server();
    const Client client(transport_);
    const Result<Response> reply = client.get(server.raw(bytes));
    SCOPED_TRACE(std::string("response: ") + std::string(bytes.substr(0, 200)));
    EXPECT_FAILS(reply, code);
    if (!reply) {
      EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::yes);
      for (const char c : reply.error().describe()) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
    }
    // Never again on that connection.
    const Result<Response> next = client.get(server.url("/next"));
    ASSERT_STATUS(next, 200);
    EXPECT_EQ(next->body, "/next");
    EXPECT_EQ(next->connection.requests, 1U) << "reused after a parse error";
    transport_->invalidate();
  }

  // With and without the connection's end after it, since a decoder may only notice then.
  void expect_body(std::string_view bytes, std::string_view body, bool reusable) {
    Listener& server = shared_server();
    const Client client(transport_);
    for (const std::string_view pieces : {"split=1", "split=3", "split=100000"}) {
      SCOPED_TRACE(std::string(bytes) + " in pieces: " + std::string(pieces));
      const Result<Response> reply = client.get(server.raw(bytes, pieces));
      ASSERT_GOOD(reply);
      EXPECT_EQ(reply->body, body);
      const Result<Response> next = client.get(server.url("/next"));
      ASSERT_STATUS(next, 200);
      EXPECT_EQ(next->connection.id == reply->connection.id, reusable);
      transport_->invalidate();
    }
  }

 private:
  Listener& shared_server() {
    if (server_ == nullptr) {
      server_ = &serve();
      transport_ = make_transport();
    }
    return *server_;
  }

  Listener* server_ = nullptr;
  std::shared_ptr<Transport> transport_;
};

const std::string ok = "HTTP/1.1 200 OK\r\n";

TEST_F(FramingTest, reads_every_way_to_delimit_a_body_however_the_bytes_are_cut) {
  expect_body(ok + "Content-Length: 5\r\n\r\nhello", "hello", true);
  expect_body(ok + "content-length:5  \r\n\r\nhello", "hello", true);
  expect_body(ok + "Content-Length: 0\r\n\r\n", "", true);
  expect_body(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", true);
  expect_body(ok + "Transfer-Encoding: Chunked\r\n\r\nA;name=value\r\n0123456789\r\n00\r\n\r\n", "0123456789", true);
  expect_body("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", "x", true);
  expect_body("HTTP/1.1 204 No Content\r\n\r\n", "", true);
  expect_body("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", "", true);
  expect_body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx",
              "x", true);
  expect_body(ok + "Connection: close\r\nContent-Length: 2\r\n\r\nok", "ok", false);
}

TEST_F(FramingTest, reads_a_body_that_runs_to_the_close) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<Response> reply = client.get(server.raw(ok + "\r\nall of it", "close=1"));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body, "all of it");
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 2);
}

TEST_F(FramingTest, refuses_status_lines_that_are_not_http_1) {
  for (const std::string& line :
       {"HTTP/2 200 OK"s, "HTTP/1.2 200 OK"s, "HTTP/1.1  200 OK"s, "HTTP/1.1 20 OK"s, "HTTP/1.1 2000 OK"s,
        "HTTP/1.1 200OK"s, "http/1.1 200 OK"s, "HTTP/1.1\t200 OK"s, " HTTP/1.1 200 OK"s, "HTTP/1.1 0x1 OK"s,
        "HTTP/1.1 099 Low"s, "HTTP/1.1 200 a\0b"s, "HTTP/1.1 200 a\x7f"s, "SSH-2.0-OpenSSH_9.2"s, ""s}) {
    expect_refused(line + "\r\nContent-Length: 0\r\n\r\n");
  }
}

TEST_F(FramingTest, refuses_content_length_with_transfer_encoding) {
  expect_refused(ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  expect_refused(ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
}

TEST_F(FramingTest, refuses_every_content_length_but_one_plain_number) {
  for (const std::string_view value : {"+1", "-1", "0x1", "1 ", "1, 1", "1,2", "1;", "", " ", "18446744073709551616",
                                       "99999999999999999999999", "1e3", "1.0", "\t1x"}) {
    if (value == "1 ") continue;  // spaces around a value are not part of it
    expect_refused(ok + "Content-Length: " + std::string(value) + "\r\n\r\nx");
  }
  expect_refused(ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx");
  expect_refused(ok + "Content-Length: 1\r\ncontent-length: 1\r\n\r\nx");
}

TEST_F(FramingTest, refuses_every_transfer_encoding_but_chunked) {
  for (const std::string_view value : {"identity", "gzip", "gzip, chunked", "chunked, chunked", "chunked, identity",
                                       "chunked,", "xchunked", "chunked;q=1", "\"chunked\"", "", "chunked\v"}) {
    expect_refused(ok + "Transfer-Encoding: " + std::string(value) + "\r\n\r\n0\r\n\r\n");
  }
  expect_refused(ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  expect_refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST_F(FramingTest, refuses_field_lines_that_can_be_read_in_two_ways) {
  for (const std::string& line :
       {"X-A : b"s, " X-A: b"s, "X-A: b\r\n folded"s, "X-A: b\r\n\tfolded"s, "X-A"s, ": b"s, "X A: b"s, "X-A\t: b"s,
        "X-A: a\0b"s, "X-A: a\rb"s, "X-A: a\nX-B: b"s, "X-(A): b"s, "X-A: \x01"s}) {
    expect_refused(ok + line + "\r\nContent-Length: 0\r\n\r\n");
  }
}

TEST_F(FramingTest, refuses_bare_cr_and_bare_lf_in_heads) {
  expect_refused("HTTP/1.1 200 OK\nContent-Length: 0\n\n");
  expect_refused(ok + "Content-Length: 0\n\r\n");
  expect_refused(ok + "Content-Length: 0\r\n\n");
  expect_refused(ok + "Content-Length: 0\r\r\n");
  expect_refused(ok + "X: a\rContent-Length: 0\r\n\r\n");
}

TEST_F(FramingTest, refuses_chunk_lines_that_can_be_read_in_two_ways) {
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& body :
       {"5\nhello\r\n0\r\n\r\n"s, "5\r\nhello\n0\r\n\r\n"s, "5\r\nhello0\r\n\r\n"s, "5\r\nhelloX\r\n0\r\n\r\n"s,
        "0x5\r\nhello\r\n0\r\n\r\n"s, "+5\r\nhello\r\n0\r\n\r\n"s, " 5\r\nhello\r\n0\r\n\r\n"s,
        "-5\r\nhello\r\n0\r\n\r\n"s, "\r\nhello\r\n0\r\n\r\n"s, "G\r\nhello\r\n0\r\n\r\n"s,
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"s, "10000000000000000\r\nhello\r\n0\r\n\r\n"s,
        "5;a=\"b\nc\"\r\nhello\r\n0\r\n\r\n"s, "5;a\rb\r\nhello\r\n0\r\n\r\n"s, "5;\0\r\nhello\r\n0\r\n\r\n"s, "0\n\n"s,
        "0\r\nX: y\n\r\n"s}) {
    expect_refused(chunked + body);
  }
}

TEST_F(FramingTest, refuses_trailers_that_frame_route_or_authorise) {
  const std::string start = ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n";
  for (const std::string_view field :
       {"Content-Length: 5", "Transfer-Encoding: chunked", "Host: evil", "Set-Cookie: a=b", "Authorization: x",
        "Connection: close", "Content-Encoding: gzip", "Trailer: x"}) {
    expect_refused(start + std::string(field) + "\r\n\r\n");
  }
  expect_refused(start + "X-A : b\r\n\r\n");
}

TEST_F(FramingTest, refuses_101_that_nobody_asked_for) {
  expect_refused("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n");
}

TEST_F(FramingTest, reads_103_then_200_to_head_as_one_response) {
  Listener& server = serve();
  const Client client = make_client();
  for (int i = 0; i < 5; ++i) {
    const Result<Response> reply = client.send(head(server.scenario("informational", "n=2")));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "");
    const Result<Response> next = client.get(server.url("/mine"));
    ASSERT_STATUS(next, 200);
    EXPECT_EQ(next->body, "/mine");
  }
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(FramingTest, a_response_that_ends_early_is_truncated_and_never_complete) {
  Listener& server = serve({.certificate = &server_certificate(), .tls_optional = true});
  const Client client = make_client(tls_options());
  for (const std::string_view scheme : {"http", "https"}) {
    for (const std::string_view arguments :
         {"coding=length&end=fin", "coding=chunked&end=fin", "coding=length&end=rst", "coding=chunked&end=rst"}) {
      const std::string url = std::string(scheme) + server.scenario("truncated", arguments).substr(5);
      const Result<Response> reply = client.get(url);
      ASSERT_FALSE(reply) << url;
      EXPECT_EQ(reply.error().kind, ErrorKind::disconnected) << describe(reply);
      EXPECT_EQ(reply.error().phase, Phase::body) << describe(reply);
      EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::yes);
      if (arguments.ends_with("fin")) {
        EXPECT_EQ(reply.error().code, ErrorCode::truncated_body) << describe(reply);
      }
    }
  }
}

TEST_F(FramingTest, a_head_that_ends_early_is_an_error_of_the_connection) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string_view part :
       {"H", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"}) {
    const Result<Response> reply = client.get(server.raw(part, "close=1"));
    ASSERT_FALSE(reply) << part;
    EXPECT_EQ(reply.error().kind, ErrorKind::disconnected) << describe(reply);
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::yes);
  }
}

TEST_F(FramingTest, errors_never_show_the_values_of_fields) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string_view field : {"Set-Cookie: s3cret\x01", "X-Token : s3cret", "Content-Length: s3cret"}) {
    const Result<Response> reply = client.get(server.raw(ok + std::string(field) + "\r\n\r\n"));
    ASSERT_FAILS(reply, ErrorCode::invalid_response);
    EXPECT_EQ(reply.error().describe().find("s3cret"), std::string::npos) << reply.error().describe();
  }
}

TEST_F(FramingTest, every_refusal_is_counted_as_a_parse_error) {
  Listener& server = serve();
  const Client client = make_client();
  for (int i = 0; i < 3; ++i) EXPECT_FAILS(client.get(server.raw("nonsense\r\n\r\n")), ErrorCode::invalid_response);
  EXPECT_TRUE(closed_for(CloseReason::parse_error, 3));
  EXPECT_EQ(count_of(stats().requests.failed, ErrorKind::broken_peer), 3U);
}

}  // namespace
}  // namespace trunkline::test
