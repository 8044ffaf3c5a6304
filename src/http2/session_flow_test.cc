// Credit: for whom, when, and never twice.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

constexpr std::uint32_t first_stream = 256 * 1024;
constexpr std::uint32_t whole_connection = 16 * 1024 * 1024;

// What a server may still send, by its own book: what it has been given less what it has sent.
class Credit {
 public:
  explicit Credit(Client& client) : client_(client) {}

  std::int64_t connection() { return sends(), connection_; }
  std::int64_t stream(std::int32_t id) { return sends(), streams_[id] + initial_; }
  int updates() { return sends(), updates_; }

  // As much as it may of `size`, in frames of 16 KiB.
  std::size_t send(std::int32_t id, std::size_t size, std::uint8_t last_flags = 0) {
    std::size_t done = 0;
    while (done < size) {
      const std::size_t part = std::min({size - done, std::size_t{16 * 1024}, room(id)});
      if (part == 0) break;
      done += part;
      streams_[id] -= static_cast<std::int64_t>(part);
      connection_ -= static_cast<std::int64_t>(part);
      EXPECT_TRUE(client_.hears(data(id, std::string(part, 'x'), done == size ? last_flags : std::uint8_t{0})));
    }
    return done;
  }

 private:
  std::size_t room(std::int32_t id) {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, std::min(stream(id), connection())));
  }
  void sends() {
    client_.sends();
    for (; booked_ < client_.sent.size(); ++booked_) {
      const SentFrame& each = client_.sent[booked_];
      if (each.type == FrameType::settings && each.flags == 0) {
        for (std::size_t at = 0; at < each.payload.size(); at += 6) {
          if (each.payload.substr(at, 2) == std::string("\0\4", 2)) initial_ = each.value(at + 2);
        }
      }
      if (each.type != FrameType::window_update) continue;
      EXPECT_GT(each.value(), 0U);
      ++updates_;
      (each.id == 0 ? connection_ : streams_[each.id]) += each.value();
    }
  }

  Client& client_;
  std::size_t booked_ = 0;
  std::int64_t initial_ = 65'535;
  std::int64_t connection_ = 65'535;
  std::map<std::int32_t, std::int64_t> streams_;
  int updates_ = 0;
};

TEST(Http2Flow, begins_with_small_windows_for_streams) {
  Client client;
  Credit credit(client);
  EXPECT_EQ(credit.connection(), whole_connection);
  EXPECT_EQ(credit.stream(1), first_stream);

  Client smaller(Limits{.stream_window = 10'000, .connection_window = 20'000});
  Credit small(smaller);
  EXPECT_EQ(small.stream(1), 10'000);
  EXPECT_EQ(small.connection(), 65'535) << "HTTP/2 has no way to say less";
}

TEST(Http2Flow, gives_credit_only_for_what_was_consumed) {
  Client client;
  Credit credit(client);
  Exchange& get = client.get();
  get.consumes = false;
  client.hears(client.hpack.ok(get.id()));
  EXPECT_EQ(credit.send(get.id(), 10 * first_stream), first_stream);
  EXPECT_EQ(credit.stream(get.id()), 0);
  EXPECT_EQ(credit.connection(), whole_connection - first_stream);
  EXPECT_EQ(credit.updates(), 1) << "the connection's first";

  client.session.consumed(get, 100);
  EXPECT_EQ(credit.updates(), 1) << "too little to be worth a frame";
  client.session.consumed(get, first_stream - 100);
  EXPECT_GE(credit.stream(get.id()), first_stream);
  EXPECT_FALSE(client.session.failed());
}

TEST(Http2Flow, gives_no_credit_twice) {
  Client client;
  Credit credit(client);
  Exchange& get = client.get();
  get.consumes = false;
  client.hears(client.hpack.ok(get.id()));
  for (int round = 0; round < 50; ++round) {
    const std::size_t sent = credit.send(get.id(), 200'000);
    client.session.consumed(get, sent);
    client.session.consumed(get, sent);
    client.session.consumed(get, SIZE_MAX);
    ASSERT_LE(credit.stream(get.id()), 1024 * 1024);
    ASSERT_LE(credit.connection(), 16 * 1024 * 1024);
  }
  // Nothing of a stream that is over.
  const std::size_t sent = credit.send(get.id(), 300'000, end_stream);
  const auto before = credit.connection();
  EXPECT_EQ(get.closings, 1);
  client.session.consumed(get, sent);
  client.session.consumed(get, sent);
  EXPECT_EQ(credit.connection(), before);
}

TEST(Http2Flow, grows_the_window_of_a_reader_who_keeps_up) {
  Client client;
  Credit credit(client);
  const Exchange& get = client.get();
  client.hears(client.hpack.ok(get.id()));
  credit.send(get.id(), 100 * 1024 * 1024);
  EXPECT_GT(credit.stream(get.id()), 1024 * 1024 / 2);
  EXPECT_LE(credit.stream(get.id()), 1024 * 1024);
  EXPECT_GT(credit.connection(), 16 * 1024 * 1024 / 2);
  EXPECT_LE(credit.connection(), 16 * 1024 * 1024);
  EXPECT_EQ(get.received.size(), 100U * 1024 * 1024);
}

TEST(Http2Flow, does_not_grow_the_window_of_one_who_lags) {
  Client client;
  Credit credit(client);
  Exchange& get = client.get();
  get.consumes = false;
  client.hears(client.hpack.ok(get.id()));
  for (int round = 0; round < 100; ++round) {
    credit.send(get.id(), 100 * 1024 * 1024);
    client.session.consumed(get, 100'000);  // there is always more
    ASSERT_LE(credit.stream(get.id()), first_stream);
    ASSERT_LE(credit.connection(), whole_connection);
  }
}

TEST(Http2Flow, returns_the_connections_credit_when_a_stream_is_reset) {
  Client client({.connection_window = 4 * first_stream});
  Credit credit(client);
  std::vector<Exchange*> all;
  for (int i = 0; i < 4; ++i) {
    Exchange& get = *all.emplace_back(&client.get());
    get.consumes = false;
    client.hears(client.hpack.ok(get.id()));
    credit.send(get.id(), first_stream);
  }
  EXPECT_EQ(credit.connection(), 0);
  for (Exchange* each : all) client.session.reset(*each, Code::cancel);
  EXPECT_EQ(credit.connection(), 4 * first_stream);
  for (Exchange* each : all) EXPECT_EQ(each->story, "response 200; closed us CANCEL");
}

TEST(Http2Flow, returns_credit_for_what_comes_behind_a_reset) {
  Client client;
  Credit credit(client);
  Exchange& get = client.get();
  client.hears(client.hpack.ok(get.id()));
  client.session.reset(get, Code::cancel);
  for (int i = 0; i < 4; ++i) credit.send(get.id(), first_stream / 4);
  for (int i = 0; i < 20; ++i) {
    client.hears(data(get.id(), std::string(16 * 1024, 'x')));
    (void)credit.connection();
  }
  EXPECT_EQ(get.received, "");
  EXPECT_FALSE(client.session.failed()) << "without credit it would have been too much for the window";
}

TEST(Http2Flow, counts_padding_as_read) {
  Client client;
  Credit credit(client);
  Exchange& get = client.get();
  get.consumes = false;
  client.hears(client.hpack.ok(get.id()));
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(client.hears(padded_data(get.id(), "x", 255)));
    client.sends();
  }
  EXPECT_EQ(get.received.size(), 10'000U) << "2.5 MB, most of it padding, through a window of 256 KiB";
}

TEST(Http2Flow, loses_no_credit_in_ten_thousand_cancelled_downloads) {
  Client client;
  Credit credit(client);
  for (int i = 0; i < 10'000; ++i) {
    Exchange& get = client.get();
    get.consumes = i % 2 == 0;
    ASSERT_TRUE(client.hears(client.hpack.ok(get.id())));
    ASSERT_EQ(credit.send(get.id(), 1000 + i % 7000), 1000U + i % 7000) << i;
    client.session.reset(get, Code::cancel);
    ASSERT_EQ(credit.send(get.id(), 500), 500U);  // on its way when it was cancelled
    client.sends();
    ASSERT_EQ(get.closings, 1);
    client.exchanges.clear();
  }
  const Exchange& whole = client.get();
  client.hears(client.hpack.ok(whole.id()));
  EXPECT_EQ(credit.send(whole.id(), 20 * 1024 * 1024, end_stream), 20U * 1024 * 1024);
  EXPECT_EQ(whole.ended.by, StreamEnd::complete);
}

TEST(Http2Flow, loses_no_credit_with_responses_that_nobody_reads) {
  Client client;
  Credit credit(client);
  for (int i = 0; i < 1000; ++i) {
    Exchange& get = client.get();
    get.consumes = false;
    client.hears(client.hpack.ok(get.id()));
    ASSERT_EQ(credit.send(get.id(), 100'000, end_stream), 100'000U) << i;
    ASSERT_EQ(get.story, "response 200; end; closed complete NO_ERROR");
  }
  EXPECT_GT(credit.connection(), whole_connection / 2);
}

TEST(Http2Flow, ends_a_connection_that_overruns_its_window) {
  Client client({.connection_window = 1024 * 1024});
  Exchange& one = client.get();
  Exchange& two = client.get();
  one.consumes = two.consumes = false;
  client.hears(client.hpack.ok(one.id()));
  bool sound = true;
  for (int i = 0; sound && i < 17; ++i) sound = client.hears(data(one.id(), std::string(16 * 1024, 'x')));
  EXPECT_TRUE(sound) << "the connection's window is larger";
  EXPECT_EQ(only_code(client.sends(), FrameType::rst_stream), "FLOW_CONTROL_ERROR");
  EXPECT_EQ(one.ended.by, StreamEnd::malformed);
  EXPECT_EQ(one.ended.code, Code::flow_control_error);

  // Its own window holds four of its streams'.
  for (int i = 0; sound && i < 5; ++i) {
    Exchange& each = client.get();
    each.consumes = false;
    client.hears(client.hpack.ok(each.id()));
    for (int part = 0; sound && part < 16; ++part) sound = client.hears(data(each.id(), std::string(16 * 1024, 'x')));
    EXPECT_TRUE(sound || i >= 2);
  }
  EXPECT_FALSE(sound);
  EXPECT_EQ(client.session.failure_code(), Code::flow_control_error);
  EXPECT_EQ(only_code(client.sends(), FrameType::goaway), "FLOW_CONTROL_ERROR");
}

}  // namespace
}  // namespace trunkline::http2
