// Our client's session and our server's, mouth to ear: each tests the other.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "http2/server_kit.h"
#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

struct Listener final : Session::Observer {
  void on_stream_limit(std::uint32_t streams) override { limit = streams; }
  void on_goaway(Code, std::string_view) override { ++goaways; }
  void on_slots_freed(int count) override { freed += count; }
  std::uint32_t limit = 0;
  int goaways = 0;
  int freed = 0;
};

struct Pair {
  // The kit's server has said its SETTINGS before anybody listened.
  explicit Pair(const ServerLimits& limits = {}) : server(limits, false) {
    for (const SentFrame& each : server.sent)
      client.receive(frame(each.type, each.flags, each.id, each.payload), server.now);
    talk();
  }
  ~Pair() { client.lost(); }

  Listener listener;
  Session client{{}, listener};
  std::vector<std::unique_ptr<Exchange>> exchanges;
  Server server;

  Exchange& send(std::string_view method, std::string body = {}, const Headers* trailers = nullptr) {
    Exchange& exchange = *exchanges.emplace_back(std::make_unique<Exchange>(client));
    exchange.body = std::move(body);
    if (trailers != nullptr) exchange.trailers = *trailers;
    const RequestHead head{.method = method, .scheme = "https", .authority = "a.test", .path = "/x?y"};
    EXPECT_TRUE(client.submit(exchange, head, !exchange.body.empty()));
    return exchange;
  }
  void answer(Served& served, int status, std::string body = {}) {
    served.body = std::move(body);
    OutgoingResponse response;
    response.status = status;
    response.headers = &served.fields;
    response.date = "now";
    EXPECT_TRUE(server.session.respond(served, response, !served.body.empty()));
  }

  // Until neither has anything to say.
  void talk() {
    std::array<char, 16 * 1024> buffer;
    for (bool spoke = true; spoke;) {
      spoke = false;
      while (const std::size_t size = client.produce(buffer)) {
        EXPECT_TRUE(server.session.receive({buffer.data(), size}, server.now)) << server.session.failure();
        spoke = true;
      }
      while (const std::size_t size = server.session.produce(buffer)) {
        EXPECT_TRUE(client.receive({buffer.data(), size}, server.now)) << client.failure().message;
        spoke = true;
      }
    }
  }
};

TEST(Http2BothEnds, exchange_requests_and_responses_of_every_size) {
  for (const std::size_t size : {0U, 1U, 16'384U, 1'000'000U}) {
    Pair pair;
    Headers trailers{{"X-Sum", "1"}};
    Exchange& exchange = pair.send("POST", std::string(size, 'a'), &trailers);
    pair.talk();
    ASSERT_EQ(pair.server.order.size(), 1U);
    Served& served = pair.server.last();
    EXPECT_EQ(served.received, std::string(size, 'a'));
    EXPECT_EQ(served.trailers.get("x-sum"), size > 0 ? std::optional<std::string_view>("1") : std::nullopt);
    served.response_trailers = {{"X-Other", "2"}};
    pair.answer(served, 201, std::string(size, 'b'));
    pair.talk();
    EXPECT_EQ(exchange.received, std::string(size, 'b'));
    EXPECT_EQ(exchange.ended.by, StreamEnd::complete) << exchange.story;
    EXPECT_TRUE(served.story.ends_with("closed complete NO_ERROR")) << served.story;
  }
}

TEST(Http2BothEnds, carry_as_many_streams_as_the_server_permits) {
  Pair pair({.streams = 10});
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 10; ++i) pair.send(i % 2 == 0 ? "GET" : "HEAD");
    pair.talk();
    EXPECT_EQ(pair.server.session.open_streams(), 10);
    for (auto& served : pair.server.order) {
      if (!served->responded()) pair.answer(*served, 200, "body");
    }
    pair.talk();
    EXPECT_EQ(pair.server.session.open_streams(), 0);
    EXPECT_EQ(pair.client.open_streams(), 0);
  }
  for (const auto& exchange : pair.exchanges) EXPECT_EQ(exchange->ended.by, StreamEnd::complete) << exchange->story;
}

TEST(Http2BothEnds, agree_that_a_request_was_cancelled) {
  Pair pair;
  Exchange& exchange = pair.send("GET");
  pair.talk();
  EXPECT_TRUE(pair.client.reset(exchange, Code::cancel));
  pair.talk();
  EXPECT_EQ(pair.server.last().story, "GET /x?y; end; closed peer CANCEL");
  EXPECT_EQ(pair.client.slots_kept(), 0) << "the server has answered the PING behind the reset";
}

TEST(Http2BothEnds, a_client_that_cancels_often_is_not_taken_for_an_attack) {
  Pair pair;
  for (int i = 0; i < 150; ++i) {
    Exchange& exchange = pair.send("GET");
    pair.talk();
    pair.client.reset(exchange, Code::cancel);
    pair.talk();
  }
  EXPECT_EQ(pair.server.order.size(), 150U);
  EXPECT_FALSE(pair.server.session.failed());
}

TEST(Http2BothEnds, end_in_order) {
  Pair pair;
  Exchange& early = pair.send("GET");
  pair.talk();
  pair.server.session.announce_end();
  pair.talk();
  EXPECT_EQ(pair.listener.goaways, 1);
  pair.server.session.refuse_new();
  pair.talk();
  EXPECT_FALSE(pair.server.session.over());
  pair.answer(pair.server.last(), 200, "body");
  pair.talk();
  EXPECT_EQ(early.ended.by, StreamEnd::complete);
  EXPECT_TRUE(pair.server.session.over());
}

}  // namespace
}  // namespace trunkline::http2
