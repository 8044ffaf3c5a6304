// Cancelling: what we owe the peer for it, and that we never look like an attack.
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string ping_of(const std::vector<SentFrame>& frames) {
  const auto pings = only(frames, FrameType::ping);
  EXPECT_EQ(pings.size(), 1U);
  return pings.empty() ? "" : pings.front().payload;
}

TEST(Http2Reset, keeps_the_slot_until_the_ping_behind_it_is_answered) {
  Client client;
  Exchange& get = client.get();
  client.session.reset(get, Code::cancel);
  EXPECT_EQ(get.story, "") << "not from inside the call";
  EXPECT_EQ(client.session.slots_kept(), 1);
  const auto frames = client.sends();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].type, FrameType::rst_stream);
  EXPECT_EQ(frames[1].type, FrameType::ping) << "in this order, or its answer would prove nothing";
  EXPECT_EQ(get.story, "closed us CANCEL");
  EXPECT_EQ(client.slots_freed, 0);

  client.hears(ping_ack("no such!"));
  EXPECT_EQ(client.slots_freed, 0);
  client.hears(ping_ack(frames[1].payload));
  EXPECT_EQ(client.slots_freed, 1);
  EXPECT_EQ(client.session.slots_kept(), 0);
  client.hears(ping_ack(frames[1].payload));
  EXPECT_EQ(client.slots_freed, 1);
}

TEST(Http2Reset, is_said_once) {
  Client client;
  Exchange& get = client.get();
  client.session.reset(get, Code::cancel);
  client.session.reset(get, Code::internal_error);
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "CANCEL");
  client.session.reset(get, Code::cancel);
  EXPECT_TRUE(client.sends().empty());
  EXPECT_EQ(client.session.slots_kept(), 1);
  EXPECT_EQ(get.closings, 1);
}

TEST(Http2Reset, of_many_has_one_ping) {
  Client client;
  for (int i = 0; i < 100; ++i) client.get();
  for (const auto& each : client.exchanges) client.session.reset(*each, Code::cancel);
  client.sends();
  EXPECT_EQ(count(client.sent, FrameType::ping), 1U);
  EXPECT_EQ(client.sent.back().type, FrameType::ping);
  client.hears(ping_ack(ping_of(client.sent)));
  EXPECT_EQ(client.slots_freed, 100);
}

TEST(Http2Reset, of_what_was_never_sent_costs_nothing) {
  Client client;
  Exchange& get = client.make();
  ASSERT_TRUE(client.submit(get));
  EXPECT_FALSE(client.session.reset(get, Code::cancel));
  EXPECT_TRUE(client.sends().empty());
  EXPECT_EQ(get.story, "closed us CANCEL");
  EXPECT_FALSE(get.any_byte_sent());
  EXPECT_EQ(client.slots_freed, 0) << "none was taken";
  EXPECT_EQ(client.session.slots_kept(), 0);
}

TEST(Http2Reset, that_the_peer_has_overtaken_frees_its_slot) {
  for (const bool by_goaway : {false, true}) {
    Client client;
    Exchange& get = client.get();
    client.session.reset(get, Code::cancel);
    client.hears(by_goaway ? goaway(0, Code::no_error) : rst_stream(get.id(), Code::internal_error));
    EXPECT_EQ(get.closings, 1);
    EXPECT_EQ(client.slots_freed, 1);
    client.sends();
    EXPECT_EQ(client.session.slots_kept(), 0);
    EXPECT_EQ(count(client.sent, FrameType::ping), 0U);
  }
}

TEST(Http2Reset, is_proved_by_the_response_to_a_later_request) {
  Client client;
  Exchange& earlier = client.get();
  client.session.reset(client.get(), Code::cancel);
  client.sends();
  Exchange& later = client.get();
  client.hears(client.hpack.ok(earlier.id(), end_stream));
  EXPECT_EQ(client.slots_freed, 0);
  client.hears(client.hpack.ok(later.id(), end_stream));
  EXPECT_EQ(client.slots_freed, 1);
}

TEST(Http2Reset, of_responses_under_way_takes_fewer_pings_than_responses) {
  Client client;
  std::size_t pings = 0;
  for (int i = 0; i < 50; ++i) {
    std::vector<Exchange*> all;
    for (int each = 0; each < 10; ++each) all.push_back(&client.get());
    for (Exchange* each : all) {
      client.hears(client.hpack.ok(each->id()) + data(each->id(), "x"));
      client.session.reset(*each, Code::cancel);
      client.sends();
    }
    for (const SentFrame& each : std::exchange(client.sent, {})) {
      if (each.type != FrameType::ping) continue;
      client.hears(ping_ack(each.payload));
      ++pings;
    }
    client.passes(milliseconds(10));
  }
  EXPECT_LE(pings, 51U);
  EXPECT_LE(client.session.slots_kept(), 10);
  EXPECT_FALSE(client.session.failed());
}

TEST(Http2Reset, strands_no_slot_at_a_silent_peer) {
  Client client;
  std::vector<Exchange*> all;
  for (int i = 0; i < 5; ++i) all.push_back(&client.get());
  std::vector<TimePoint> pings;
  for (Exchange* each : all) {
    client.session.reset(*each, Code::cancel);
    const std::size_t before = pings.size();
    while (pings.size() == before) {
      for (const SentFrame& sent : client.sends()) {
        if (sent.type != FrameType::ping) continue;
        pings.push_back(client.now);
        client.hears(ping_ack(sent.payload));
      }
      ASSERT_TRUE(pings.size() > before || client.session.ping_due() != never);
      if (pings.size() == before) client.now = client.session.ping_due();
      if (client.session.ping_due() <= client.now) client.session.on_ping_due(client.now);
    }
  }
  EXPECT_EQ(client.slots_freed, 5);
  EXPECT_EQ(pings[1] - pings[0], seconds(1));
  EXPECT_EQ(pings[4] - pings[1], seconds(30)) << "many PINGs and nothing else are abuse";
}

TEST(Http2Reset, sends_its_ping_later_when_one_has_just_been_sent) {
  Client client;
  client.session.reset(client.get(), Code::cancel);
  client.hears(ping_ack(ping_of(client.sends())));
  client.session.reset(client.get(), Code::cancel);
  EXPECT_EQ(count(client.sends(), FrameType::ping), 0U);
  EXPECT_EQ(client.session.ping_due(), client.now + seconds(1));
  EXPECT_FALSE(client.session.wants_write());
  client.passes(seconds(1));
  client.session.on_ping_due(client.now);
  EXPECT_TRUE(client.session.wants_write());
  client.hears(ping_ack(ping_of(client.sends())));
  EXPECT_EQ(client.slots_freed, 2);
}

TEST(Http2Reset, lets_nothing_more_through_to_the_stream) {
  Client client;
  Exchange& get = client.get();
  client.hears(client.hpack.ok(get.id()));
  // From inside a callback, too.
  get.on_event = [&](Exchange& self) {
    if (!self.received.empty()) client.session.reset(self, Code::cancel);
  };
  client.hears(data(get.id(), "one") + data(get.id(), "two") + data(get.id(), "end", end_stream));
  client.sends();
  EXPECT_EQ(get.received, "one");
  EXPECT_EQ(get.story, "response 200; closed us CANCEL");
  client.hears(client.hpack.headers(get.id(), {{"a", "b"}}, end_stream) + rst_stream(get.id(), Code::cancel));
  EXPECT_EQ(get.story, "response 200; closed us CANCEL");
  EXPECT_FALSE(client.session.failed());
}

TEST(Http2Reset, may_happen_in_every_callback) {
  for (const char* at : {"informational", "response", "trailers", "end"}) {
    Client client;
    Exchange& get = client.get();
    get.on_event = [&](Exchange& self) {
      const std::size_t last = self.story.rfind("; ");
      if (self.story.substr(last == std::string::npos ? 0 : last + 2).starts_with(at)) {
        client.session.reset(self, Code::cancel);
      }
    };
    client.hears(join({client.hpack.headers(get.id(), {{":status", "103"}}), client.hpack.ok(get.id()),
                       data(get.id(), "x"), client.hpack.headers(get.id(), {{"t", "1"}}, end_stream)}));
    client.sends();
    EXPECT_EQ(get.closings, 1) << at;
    EXPECT_FALSE(client.session.failed()) << at;
    EXPECT_EQ(client.session.open_streams(), 0) << at;
  }
}

TEST(Http2Ping, asks_once_until_it_is_answered) {
  Client client;
  EXPECT_EQ(client.session.pings_unanswered(), 0);
  client.session.ping(client.now);
  client.session.ping(client.now);
  EXPECT_EQ(client.session.pings_unanswered(), 1);
  const std::string question = ping_of(client.sends());
  client.hears(ping_ack(question));
  EXPECT_EQ(client.session.pings_unanswered(), 0);
  client.session.ping(client.now);
  EXPECT_NE(ping_of(client.sends()), question);
}

TEST(Http2Ping, is_answered_with_its_own_bytes) {
  Client client;
  client.hears(ping("12345678"));
  const auto frames = client.sends();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].flags, ack);
  EXPECT_EQ(frames[0].payload, "12345678");
}

}  // namespace
}  // namespace trunkline::http2
