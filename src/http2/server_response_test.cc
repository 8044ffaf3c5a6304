// What is answered, and how bodies flow.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http2/server_kit.h"

namespace trunkline::http2 {
namespace {

// The bytes of a stream's DATA frames.
std::string data_of(const std::vector<SentFrame>& frames, std::int32_t id) {
  std::string out;
  for (const SentFrame& each : only(frames, FrameType::data)) {
    if (each.id == id) out += each.payload;
  }
  return out;
}

TEST(Http2ServerResponse, answers_without_a_body) {
  Server server;
  Decoder decoder;
  server.get(1);
  const auto frames = server.answer(server.last(), 404);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(decoder.read(frames[0]), "[:status=404]");
  EXPECT_EQ(frames[0].flags, end_headers | end_stream);
  EXPECT_EQ(server.last().story, "GET /; end; closed complete NO_ERROR");
  EXPECT_EQ(server.session.open_streams(), 0);
}

TEST(Http2ServerResponse, writes_fields_as_http2_wants_them) {
  Server server;
  Decoder decoder;
  server.get(1);
  server.last().fields = {{"Content-Type", "text/plain"}, {"Connection", "close"},  {"Keep-Alive", "timeout=5"},
                          {"Transfer-Encoding", "x"},     {"Set-Cookie", "secret"}, {"Upgrade", "x"}};
  OutgoingResponse response;
  response.headers = &server.last().fields;
  response.date = "now";
  response.server = "t";
  response.content_length = 0;
  EXPECT_TRUE(server.session.respond(server.last(), response, false));
  EXPECT_EQ(decoder.read(server.sends().at(0)),
            "[:status=200] [content-type=text/plain] [set-cookie=secret] (secret) [date=now] [server=t] "
            "[content-length=0]");

  server.get(3);
  server.last().fields = {{"DATE", "then"}, {"Server", "mine"}, {"Content-Length", "0"}};
  response.headers = &server.last().fields;
  EXPECT_TRUE(server.session.respond(server.last(), response, false));
  EXPECT_EQ(decoder.read(server.sends().at(0)), "[:status=200] [date=then] [server=mine] [content-length=0]");
}

TEST(Http2ServerResponse, sends_a_body) {
  Server server;
  server.get(1);
  const auto frames = server.answer(server.last(), 200, std::string(40'000, 'x'));
  EXPECT_EQ(data_of(frames, 1), std::string(40'000, 'x'));
  EXPECT_EQ(frames.back().flags & end_stream, end_stream);
  EXPECT_EQ(server.last().story, "GET /; end; closed complete NO_ERROR");
}

TEST(Http2ServerResponse, sends_a_body_as_it_becomes_ready) {
  Server server;
  server.get(1);
  server.last().body_ready = 2;
  EXPECT_EQ(data_of(server.answer(server.last(), 200, "hello"), 1), "he");
  EXPECT_FALSE(server.session.wants_write());
  server.last().body_ready = 5;
  EXPECT_FALSE(server.session.wants_write());
  server.session.resume(server.last());
  EXPECT_TRUE(server.session.wants_write());
  EXPECT_EQ(data_of(server.sends(), 1), "llo");
}

TEST(Http2ServerResponse, keeps_to_the_clients_window) {
  Server server;
  server.get(1);
  const std::string body(100'000, 'x');
  EXPECT_EQ(data_of(server.answer(server.last(), 200, body), 1).size(), 65'535U);
  server.hears(window_update(0, 100'000) + window_update(1, 1000));
  EXPECT_EQ(data_of(server.sends(), 1).size(), 1000U);
  server.hears(window_update(1, 100'000));
  EXPECT_EQ(data_of(server.sends(), 1).size(), body.size() - 65'535 - 1000);
}

TEST(Http2ServerResponse, gives_every_stream_its_turn) {
  Server server;
  server.hears(window_update(0, 1'000'000));
  server.get(1);
  server.get(3);
  server.at(0).body = server.at(1).body = std::string(60'000, 'x');
  for (Served* each : {&server.at(0), &server.at(1)}) EXPECT_TRUE(server.session.respond(*each, {}, true));
  std::string order;
  for (const SentFrame& each : only(server.sends(), FrameType::data)) order += std::to_string(each.id);
  EXPECT_TRUE(order.starts_with("1313")) << order;
}

TEST(Http2ServerResponse, sends_trailers) {
  Server server;
  Decoder decoder;
  server.get(1);
  server.last().response_trailers = {{"X-Sum", "1"}};
  const auto frames = server.answer(server.last(), 200, "hi");
  const auto heads = only(frames, FrameType::headers);
  ASSERT_EQ(heads.size(), 2U);
  EXPECT_EQ(decoder.read(heads[0]), "[:status=200]");
  EXPECT_EQ(decoder.read(heads[1]), "[x-sum=1]");
  EXPECT_EQ(heads[1].flags & end_stream, end_stream);
  EXPECT_EQ(server.last().story, "GET /; end; closed complete NO_ERROR");
}

TEST(Http2ServerResponse, has_no_body_to_head_and_with_204_and_304) {
  Server server;
  server.get(1, "HEAD");
  server.get(3);
  server.get(5);
  EXPECT_EQ(count(server.answer(server.at(0), 200, "body"), FrameType::data), 0U);
  EXPECT_EQ(count(server.answer(server.at(1), 204, "body"), FrameType::data), 0U);
  EXPECT_EQ(count(server.answer(server.at(2), 304, "body"), FrameType::data), 0U);
  EXPECT_EQ(server.session.open_streams(), 0);
}

TEST(Http2ServerResponse, informs_before_it_answers) {
  Server server;
  Decoder decoder;
  server.post(1);
  Served& served = server.last();
  EXPECT_TRUE(server.session.inform(served, 100, {}));
  EXPECT_TRUE(server.session.inform(served, 103, {{"Link", "</a>"}}));
  auto frames = server.sends();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(decoder.read(frames[0]), "[:status=100]");
  EXPECT_EQ(decoder.read(frames[1]), "[:status=103] [link=</a>]");
  EXPECT_FALSE(served.head_sent());
  EXPECT_TRUE(server.session.inform(served, 102, {}));
  OutgoingResponse response;
  EXPECT_TRUE(server.session.respond(served, response, false));
  EXPECT_FALSE(served.head_sent());
  frames = server.sends();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(decoder.read(frames[1]), "[:status=200]");
  EXPECT_TRUE(served.head_sent());
  EXPECT_FALSE(server.session.inform(served, 103, {})) << "too late";
}

TEST(Http2ServerResponse, is_given_once) {
  Server server;
  server.post(1);
  server.answer(server.last());
  EXPECT_FALSE(server.session.respond(server.last(), {}, false));
  server.get(3);
  server.session.reset(server.last(), Code::cancel);
  EXPECT_FALSE(server.session.respond(server.last(), {}, false));
}

TEST(Http2ServerResponse, may_come_before_the_request_is_complete) {
  Server server;
  server.post(1);
  server.answer(server.last(), 413);
  EXPECT_EQ(server.last().story, "POST /");
  EXPECT_EQ(server.session.open_streams(), 1);
  server.session.reset(server.last(), Code::no_error);
  EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "NO_ERROR");
  EXPECT_EQ(server.last().story, "POST /; closed complete NO_ERROR");
}

TEST(Http2ServerResponse, is_reset_when_its_body_fails) {
  Server server;
  server.get(1);
  server.last().body_fails = true;
  EXPECT_EQ(only_code(server.answer(server.last()), FrameType::rst_stream), "INTERNAL_ERROR");
  EXPECT_EQ(server.last().story, "GET /; end; closed us INTERNAL_ERROR");
}

TEST(Http2ServerResponse, says_who_ended_a_stream) {
  Server server;
  server.get(1);
  server.session.reset(server.last(), Code::internal_error);
  EXPECT_EQ(server.last().story, "GET /; end") << "not from inside the call";
  server.sends();
  EXPECT_EQ(server.last().story, "GET /; end; closed us INTERNAL_ERROR");
  server.get(3);
  server.hears(rst_stream(3, Code::cancel));
  EXPECT_EQ(server.last().story, "GET /; end; closed peer CANCEL");
  server.get(5);
  server.hears(window_update(5, 0x7FFFFFFF));
  server.sends();
  EXPECT_EQ(server.last().story, "GET /; end; closed malformed FLOW_CONTROL_ERROR");
  server.get(7);
  server.session.lost();
  EXPECT_EQ(server.last().story, "GET /; end; closed connection_lost NO_ERROR");
}

// --- what comes

TEST(Http2ServerFlow, lets_the_client_send_no_more_than_the_window) {
  Server server({.stream_window = 1000});
  server.post(1);
  server.last().consumes = false;
  EXPECT_TRUE(server.hears(data(1, std::string(1000, 'x'))));
  server.hears(data(1, "x") + data(1, "y"));
  EXPECT_EQ(only_code(server.sends(), FrameType::rst_stream), "FLOW_CONTROL_ERROR");
  EXPECT_LE(server.last().received.size(), 1001U) << "nghttp2 delivers the frame that was too much, and no other";
  EXPECT_EQ(server.last().story, "POST /; closed malformed FLOW_CONTROL_ERROR");
}

TEST(Http2ServerFlow, gives_credit_as_the_handler_reads) {
  Server server({.stream_window = 1000});
  server.post(1);
  Served& served = server.last();
  served.consumes = false;
  server.hears(data(1, std::string(1000, 'x')));
  EXPECT_EQ(count(server.sends(), FrameType::window_update), 0U);
  server.session.consumed(served, 600);
  const auto updates = only(server.sends(), FrameType::window_update);
  ASSERT_EQ(updates.size(), 1U);
  EXPECT_EQ(updates[0].id, 1);
  EXPECT_EQ(updates[0].value(), 600U);
}

TEST(Http2ServerFlow, grows_the_window_of_a_handler_that_keeps_up) {
  Server server;
  server.post(1);
  std::size_t credit = 0;
  for (int i = 0; i < 20; ++i) {
    server.hears(data(1, std::string(16'384, 'x')));
    for (const SentFrame& each : only(server.sends(), FrameType::window_update)) {
      if (each.id == 1) credit += each.value();
    }
  }
  EXPECT_GT(credit, 20U * 16'384 + 256 * 1024);
  EXPECT_LE(credit, 20U * 16'384 + 1024 * 1024);
}

TEST(Http2ServerFlow, gives_the_connection_back_what_a_dead_stream_held) {
  Server server({.connection_window = 65'535});
  for (std::int32_t id = 1; id < 20; id += 2) {
    server.post(id);
    server.last().consumes = false;
    EXPECT_TRUE(server.hears(data(id, std::string(16'000, 'x'))));
    server.hears(rst_stream(id, Code::cancel));
    server.sends();
  }
  std::size_t credit = 0;
  for (const SentFrame& each : only(server.sent, FrameType::window_update)) credit += each.id == 0 ? each.value() : 0;
  EXPECT_GE(credit, 10U * 16'000 - 32'768);
}

}  // namespace
}  // namespace trunkline::http2
