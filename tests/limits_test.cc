// Bounds on what a server may send: heads, fields, lines, informational responses, chunk extensions, whole bodies.
// A flood ends early and typed; the server is left with most of it unsent.
#include "support/http_test.h"

namespace trunkline::test {
namespace {

class LimitsTest : public HttpTest {};

class FloodTest : public LimitsTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(FloodTest, ends_with_limit_exceeded_and_costs_the_connection) {
  Listener& server = serve();
  const Client client = make_client();
  EXPECT_FAILS(client.get(server.scenario("flood", "what=" + GetParam())), ErrorCode::limit_exceeded);
  const Result<Response> next = client.get(server.url("/next"));
  ASSERT_STATUS(next, 200);
  EXPECT_FALSE(next->connection.reused);
}

INSTANTIATE_TEST_SUITE_P(Floods, FloodTest, ::testing::Values("fields", "line", "reason", "trailers", "extension"),
                         [](const auto& each) { return each.param; });

TEST_F(LimitsTest, bounds_the_number_of_informational_responses) {
  Listener& server = serve();
  const Client client = make_client();
  EXPECT_STATUS(client.get(server.scenario("informational", "n=10")), 200);
  EXPECT_FAILS(client.get(server.scenario("informational", "n=11")), ErrorCode::limit_exceeded);
  EXPECT_FAILS(client.get(server.scenario("informational", "n=-1")), ErrorCode::limit_exceeded);
}

TEST_F(LimitsTest, bounds_are_the_options_own) {
  Listener& server = serve();
  const auto answer_with = [&](std::size_t fields, std::size_t length) {
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    for (std::size_t i = 0; i < fields; ++i)
      bytes += "X-" + std::to_string(i) + ": " + std::string(length, 'v') + "\r\n";
    return server.raw(bytes + "\r\n");
  };
  const Client few = make_client(test_options().derive([](Options& o) { o.response.header_count = 5; }));
  EXPECT_STATUS(few.get(answer_with(4, 1)), 200);
  EXPECT_FAILS(few.get(answer_with(5, 1)), ErrorCode::limit_exceeded);
  const Client narrow = make_client(test_options().derive([](Options& o) { o.response.line_bytes = 100; }));
  EXPECT_STATUS(narrow.get(answer_with(1, 80)), 200);
  EXPECT_FAILS(narrow.get(answer_with(1, 120)), ErrorCode::limit_exceeded);
  const Client small = make_client(test_options().derive([](Options& o) { o.response.head_bytes = 1000; }));
  EXPECT_STATUS(small.get(answer_with(8, 90)), 200);
  EXPECT_FAILS(small.get(answer_with(12, 90)), ErrorCode::limit_exceeded);
  const Client silent = make_client(test_options().derive([](Options& o) { o.response.informational = 0; }));
  EXPECT_STATUS(silent.get(server.url()), 200);
  EXPECT_FAILS(silent.get(server.scenario("informational", "n=1")), ErrorCode::limit_exceeded);
}

TEST_F(LimitsTest, informational_heads_final_head_and_trailers_share_one_budget) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.response.head_bytes = 4000; }));
  const std::string filler = "X-F: " + std::string(1500, 'f') + "\r\n";
  const std::string hints = "HTTP/1.1 103 Hints\r\n" + filler + "\r\n";
  EXPECT_STATUS(client.get(server.raw(hints + hints + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), 200);
  EXPECT_FAILS(client.get(server.raw(hints + hints + "HTTP/1.1 200 OK\r\n" + filler + "Content-Length: 0\r\n\r\n")),
               ErrorCode::limit_exceeded);
  EXPECT_FAILS(client.get(server.raw(hints + "HTTP/1.1 200 OK\r\n" + filler +
                                     "Transfer-Encoding: chunked\r\n\r\n0\r\n" + filler + "\r\n")),
               ErrorCode::limit_exceeded);
}

TEST_F(LimitsTest, a_body_that_is_read_whole_is_bounded_whether_its_length_is_said_or_not) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.response.body_bytes = 1000; }));
  for (const std::string coding : {"length", "chunked", "close"}) {
    EXPECT_STATUS(client.get(server.scenario("big", "size=1000&coding=" + coding)), 200) << coding;
    const Result<Response> refused = client.get(server.scenario("big", "size=1001&coding=" + coding));
    ASSERT_FAILS(refused, ErrorCode::limit_exceeded);
    EXPECT_EQ(refused.error().maybe_processed, MaybeProcessed::yes);
  }
  // The request's own bound goes first.
  EXPECT_STATUS(client.send(get(server.scenario("big", "size=5000")).body_limit(5000)), 200);
  EXPECT_FAILS(client.send(get(server.scenario("big", "size=501")).body_limit(500)), ErrorCode::limit_exceeded);
}

TEST_F(LimitsTest, a_huge_declared_body_is_refused_without_being_read) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.response.body_bytes = 1 << 20; }));
  EXPECT_FAILS(client.get(server.scenario("big", "size=1073741824")), ErrorCode::limit_exceeded);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_LT(server.log().requests.at(0).sent_bytes, 100 << 20);
}

TEST_F(LimitsTest, a_streamed_body_has_no_bound_but_read_all_has) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.response.body_bytes = 1000; }));
  Result<ResponseStream> stream = client.open(get(server.scenario("big", "size=100000")));
  ASSERT_GOOD(stream);
  const Result<std::string> all = stream->read_all(100000);
  ASSERT_GOOD(all);
  EXPECT_EQ(*all, pattern(100000));
  Result<ResponseStream> other = client.open(get(server.scenario("big", "size=100000")));
  ASSERT_GOOD(other);
  EXPECT_FAILS(other->read_all(99999), ErrorCode::limit_exceeded);
}

TEST_F(LimitsTest, many_tiny_chunks_are_one_body) {
  Listener& server = serve();
  const Client client = make_client();
  std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 5000; ++i) bytes += "1\r\nx\r\n";
  const Result<Response> reply = client.get(server.raw(bytes + "0\r\n\r\n"));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body, std::string(5000, 'x'));
}

}  // namespace
}  // namespace trunkline::test
