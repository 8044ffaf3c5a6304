// Request bodies: in turn, as the peer has room, and what may happen to them on the way.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

std::string bytes_of(const std::vector<SentFrame>& frames, std::int32_t id) {
  std::string out;
  for (const SentFrame& each : only(frames, FrameType::data)) {
    if (each.id == id) out += each.payload;
  }
  return out;
}

std::string pattern(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(i * 31 + i / 251);
  return out;
}

void open_wide(Client& client) {
  client.hears(settings({{4, 0x7FFFFFFF}}));
  client.hears(window_update(0, 0x7FFFFFFF - 65'535));
  client.sends();
}

TEST(Http2Upload, arrives_whole_through_buffers_of_any_size) {
  const std::string body = pattern(100'000);
  for (const std::size_t buffer : {4096U, 5000U, 16'384U, 16'393U, 65'536U, 200'000U}) {
    Client client;
    open_wide(client);
    Exchange& post = client.make();
    post.body = body;
    ASSERT_TRUE(client.submit(post, "POST"));
    const auto frames = client.sends(buffer);
    EXPECT_EQ(bytes_of(frames, post.id()), body) << buffer;
    EXPECT_EQ(frames.back().flags, end_stream) << buffer;
    for (const SentFrame& each : frames) EXPECT_LE(each.payload.size(), 16U * 1024);
    EXPECT_EQ(count(frames, FrameType::data), count(client.sent, FrameType::data));
    client.hears(client.hpack.ok(post.id(), end_stream));
    EXPECT_EQ(post.story, "response 200 without body; end; closed complete NO_ERROR");
  }
}

TEST(Http2Upload, waits_for_the_stream_and_for_the_connection) {
  Client client;
  client.hears(settings({{4, 10}}));
  Exchange& post = client.post(pattern(100));
  EXPECT_EQ(bytes_of(client.sent, post.id()).size(), 10U);
  EXPECT_FALSE(client.session.wants_write());
  client.hears(window_update(post.id(), 1));
  EXPECT_EQ(bytes_of(client.sends(), post.id()).size(), 1U);
  client.hears(settings({{4, 5}}));  // minus six, now
  client.hears(window_update(post.id(), 5));
  EXPECT_EQ(bytes_of(client.sends(), post.id()).size(), 0U);
  client.hears(window_update(post.id(), 2));
  EXPECT_EQ(bytes_of(client.sends(), post.id()).size(), 2U);
  client.hears(settings({{4, 1000}}));
  EXPECT_EQ(bytes_of(client.sends(), post.id()).size(), 87U);
  EXPECT_EQ(bytes_of(client.sent, post.id()), post.body);

  Client other;
  other.hears(settings({{4, 1'000'000}}));
  Exchange& large = other.post(pattern(70'000));
  EXPECT_EQ(bytes_of(other.sent, large.id()).size(), 65'535U);
  other.hears(window_update(0, 70'000));
  other.sends();
  EXPECT_EQ(bytes_of(other.sent, large.id()), large.body);
}

TEST(Http2Upload, takes_turns_and_lets_requests_and_answers_pass) {
  Client client;
  open_wide(client);
  std::vector<Exchange*> posts;
  for (int i = 0; i < 4; ++i) {
    Exchange& post = client.make();
    post.body = std::string(1024 * 1024, 'x');
    ASSERT_TRUE(client.submit(post, "POST"));
    posts.push_back(&post);
  }
  std::vector<char> buffer(256 * 1024);
  std::size_t size = client.session.produce(buffer);
  client.output.append(buffer.data(), size);
  for (const Exchange* each : posts) {
    EXPECT_GE(each->body_sent, 2U * 16 * 1024);
    EXPECT_LE(each->body_sent, 5U * 16 * 1024);
  }
  client.hears(ping());
  ASSERT_TRUE(client.submit(client.make()));
  size = client.session.produce(buffer);
  const auto type_at = [&](std::size_t at) { return static_cast<FrameType>(buffer.at(at + 3)); };
  EXPECT_EQ(type_at(0), FrameType::ping);
  EXPECT_EQ(type_at(frame_head_size + 8), FrameType::headers);
}

TEST(Http2Upload, waits_for_its_source) {
  Client client;
  Exchange& post = client.post("hello world", 5);
  EXPECT_EQ(bytes_of(client.sent, post.id()), "hello");
  EXPECT_FALSE(client.session.wants_write()) << "nothing is there";
  client.session.resume(post);
  EXPECT_EQ(bytes_of(client.sends(), post.id()), "") << "a false alarm";
  post.body_ready = SIZE_MAX;
  client.session.resume(post);
  client.session.resume(post);
  EXPECT_EQ(bytes_of(client.sends(), post.id()), " world");
  client.session.resume(post);
  EXPECT_TRUE(client.sends().empty());
}

TEST(Http2Upload, may_have_trailers) {
  Client client;
  Exchange& post = client.make();
  post.body = "hello";
  post.trailers = Headers{{"Checksum", "1"}};
  ASSERT_TRUE(client.submit(post, "POST"));
  const auto frames = client.sends();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[1].type, FrameType::data);
  EXPECT_EQ(frames[1].flags, 0);
  EXPECT_EQ(frames[2].type, FrameType::headers);
  EXPECT_EQ(frames[2].flags, end_stream | end_headers);
}

TEST(Http2Upload, whose_source_fails_is_reset) {
  Client client;
  Exchange& post = client.make();
  post.body_fails = true;
  ASSERT_TRUE(client.submit(post, "POST"));
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "CANCEL");
  EXPECT_EQ(post.story, "closed us CANCEL");
  EXPECT_EQ(client.session.slots_kept(), 0);
}

TEST(Http2Upload, stops_with_success_when_the_response_is_complete) {
  Client client;
  Exchange& post = client.post(pattern(200'000));
  client.hears(join({client.hpack.ok(post.id(), end_stream), rst_stream(post.id(), Code::no_error)}));
  EXPECT_EQ(post.story, "response 200 without body; end; closed complete NO_ERROR");
  client.hears(window_update(0, 100'000));
  EXPECT_EQ(bytes_of(client.sends(), post.id()), "");
}

TEST(Http2Upload, goes_on_behind_a_complete_response_unless_it_is_reset) {
  Client client;
  Exchange& post = client.post(pattern(100'000));
  client.hears(client.hpack.ok(post.id(), end_stream));
  EXPECT_EQ(post.story, "response 200 without body; end");
  client.hears(window_update(0, 100'000) + window_update(post.id(), 100'000));
  client.sends();
  EXPECT_EQ(bytes_of(client.sent, post.id()), post.body);
  EXPECT_EQ(post.story, "response 200 without body; end; closed complete NO_ERROR");

  Exchange& other = client.post(pattern(100'000), 10);
  client.hears(client.hpack.ok(other.id(), end_stream));
  client.session.reset(other, Code::no_error);
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "NO_ERROR");
  EXPECT_EQ(other.story, "response 200 without body; end; closed complete NO_ERROR");
}

TEST(Http2Upload, that_is_reset_by_the_peer_never_reads_its_source_again) {
  for (const Code code : {Code::refused_stream, Code::http_1_1_required, Code::cancel, Code::no_error,
                          Code::enhance_your_calm, static_cast<Code>(0x1234)}) {
    for (const bool answered : {false, true}) {
      Client client;
      auto own = std::make_unique<Exchange>(client.session);
      own->body = pattern(200'000);
      ASSERT_TRUE(client.submit(*own, "POST"));
      client.sends();
      std::string story;
      StreamEnd ended;
      own->on_event = [&](Exchange& self) {
        story = self.story;
        ended = self.ended;
        if (self.closings > 0) own.reset();  // as early as it may
      };
      if (answered) client.hears(client.hpack.ok(own->id()));
      client.hears(rst_stream(1, code) + window_update(0, 1000) + window_update(1, 1000));
      EXPECT_EQ(own, nullptr);
      EXPECT_TRUE(client.sends().empty());
      const bool refused = code == Code::refused_stream && !answered;
      EXPECT_EQ(ended.by, refused ? StreamEnd::unprocessed : StreamEnd::peer) << to_string(code);
      EXPECT_EQ(ended.code, code);
      EXPECT_FALSE(client.session.failed());
      EXPECT_EQ(client.session.slots_kept(), 0);
    }
  }
}

TEST(Http2Upload, that_we_reset_never_reads_its_source_again) {
  Client client;
  auto own = std::make_unique<Exchange>(client.session);
  own->body = pattern(200'000);
  ASSERT_TRUE(client.submit(*own, "POST"));
  client.sends();
  own->on_event = [&](Exchange& self) {
    if (self.closings > 0) own.reset();
  };
  const std::size_t before = count(client.sent, FrameType::data);
  client.session.reset(*own, Code::cancel);
  client.hears(window_update(0, 100'000) + window_update(1, 100'000));
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "CANCEL");
  EXPECT_EQ(own, nullptr);
  EXPECT_EQ(count(client.sent, FrameType::data), before);
}

TEST(Http2Upload, may_be_reset_from_inside_its_source) {
  class Sudden final : public Exchange {
   public:
    using Exchange::Exchange;
    Session* session = nullptr;
    Body read_body(std::span<char> into) override {
      session->reset(*this, Code::cancel);
      return Exchange::read_body(into);
    }
  };
  for (const std::size_t ready : {std::size_t{0}, std::size_t{10}, SIZE_MAX}) {
    Client client;
    Sudden post(client.session);
    post.session = &client.session;
    post.body = pattern(100'000);
    post.body_ready = ready;
    ASSERT_TRUE(client.submit(post, "POST"));
    EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "CANCEL");
    EXPECT_EQ(post.story, "closed us CANCEL");
  }
}

TEST(Http2Upload, ends_when_its_window_overflows_with_settings) {
  Client client;
  Exchange& post = client.post(pattern(100'000), 10);
  client.hears(window_update(post.id(), 1000) + settings({{4, 0x7FFFFFFF}}) + goaway(0x7FFFFFFF, Code::no_error));
  client.sends();
  EXPECT_EQ(post.story, "closed malformed FLOW_CONTROL_ERROR") << "found by fuzzing: it was laid to the GOAWAY";
}

TEST(Http2Upload, ends_when_its_window_overflows) {
  Client client;
  Exchange& post = client.post(pattern(100'000));
  EXPECT_TRUE(client.hears(window_update(post.id(), 0x7FFFFFFF) + window_update(post.id(), 1)));
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "FLOW_CONTROL_ERROR");
  EXPECT_EQ(post.story, "closed malformed FLOW_CONTROL_ERROR");
  EXPECT_FALSE(client.session.failed());
}

}  // namespace
}  // namespace trunkline::http2
