// Against an honest peer: nghttp2's own server, which answers whatever it is asked.
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

// Answers a request with the body it had and "x-bytes" of its own, behind a 103.
class Server {
 public:
  explicit Server(std::uint32_t most_streams = 100) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size, void* user) {
          static_cast<Server*>(user)->bodies_[id].append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          auto& self = *static_cast<Server*>(user);
          const bool message = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
          if (message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) self.answer(frame->hd.stream_id);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
          static_cast<Server*>(user)->bodies_.erase(id);
          return 0;
        });
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry limit{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, most_streams};
    nghttp2_submit_settings(session_, 0, &limit, 1);
  }
  ~Server() { nghttp2_session_del(session_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  bool hears(std::string_view bytes) {
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) ==
           static_cast<ssize_t>(bytes.size());
  }
  std::string sends() {
    std::string out;
    const std::uint8_t* bytes = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &bytes)) > 0;) {
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    return out;
  }
  bool sound() const { return nghttp2_session_want_read(session_) != 0; }
  int answered = 0;

 private:
  static nghttp2_nv field(const char* name, const char* value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value)), std::strlen(name), std::strlen(value), 0};
  }
  void answer(std::int32_t id) {
    ++answered;
    const nghttp2_nv early = field(":status", "103");
    nghttp2_submit_headers(session_, 0, id, nullptr, &early, 1, nullptr);
    nghttp2_data_provider body{};
    body.read_callback = [](nghttp2_session*, std::int32_t stream, std::uint8_t* out, std::size_t size,
                            std::uint32_t* flags, nghttp2_data_source*, void* user) {
      std::string& left = static_cast<Server*>(user)->bodies_[stream];
      const std::size_t part = std::min(size, left.size());
      std::memcpy(out, left.data(), part);
      left.erase(0, part);
      if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(part);
    };
    const std::array<nghttp2_nv, 2> fields{field(":status", "200"), field("server", "nghttp2")};
    nghttp2_submit_response(session_, id, fields.data(), fields.size(), &body);
  }

  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::string> bodies_;
};

// Moves bytes until both are silent, in pieces of that size.
void talk(Client& client, Server& server, std::size_t piece = SIZE_MAX) {
  std::vector<char> buffer(20'000);
  for (bool quiet = false; !quiet;) {
    quiet = true;
    while (const std::size_t size = client.session.produce(buffer)) {
      quiet = false;
      ASSERT_TRUE(server.hears({buffer.data(), size}));
    }
    const std::string answer = server.sends();
    for (std::size_t at = 0; at < answer.size(); at += std::min(piece, answer.size() - at)) {
      quiet = false;
      ASSERT_TRUE(client.hears(std::string_view(answer).substr(at, piece))) << client.session.failure().message;
    }
  }
}

TEST(Http2Peer, is_understood_in_both_directions) {
  Client client({}, false);
  Server server;
  ASSERT_TRUE(server.hears(std::string(client_magic)));
  // The kit has taken the first frames.
  for (const SentFrame& each : client.sent) {
    ASSERT_TRUE(server.hears(frame(each.type, each.flags, each.id, each.payload)));
  }
  talk(client, server);
  EXPECT_EQ(client.stream_limits, std::vector<std::uint32_t>{100});
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<Exchange*> open;
    for (int i = 0; i < 50; ++i) {
      Exchange& each = *open.emplace_back(&client.make());
      if (i % 2 == 1) each.body = std::string(random() % 200'000, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(client.submit(each, each.body.empty() ? "GET" : "POST"));
    }
    talk(client, server, 1 + random() % 50'000);
    for (const Exchange* each : open) {
      EXPECT_TRUE(each->received == each->body);
      EXPECT_EQ(each->fields.get("server"), "nghttp2");
      EXPECT_EQ(each->story, "informational 103; response 200; end; closed complete NO_ERROR");
    }
    client.exchanges.clear();
  }
  EXPECT_EQ(server.answered, 1000);
  EXPECT_TRUE(server.sound());
}

TEST(Http2Peer, gets_along_with_cancelling) {
  Client client({}, false);
  Server server(1000);
  ASSERT_TRUE(server.hears(std::string(client_magic)));
  for (const SentFrame& each : client.sent) {
    ASSERT_TRUE(server.hears(frame(each.type, each.flags, each.id, each.payload)));
  }
  std::mt19937 random(2);
  std::vector<char> buffer(20'000);
  int resets = 0;
  for (int round = 0; round < 3000; ++round) {
    if (client.session.open_streams() + client.session.slots_kept() < 1000) {
      Exchange& each = client.make();
      each.body = std::string(1 + random() % 30'000, 'x');
      ASSERT_TRUE(client.submit(each, "POST"));
    }
    if (random() % 2 == 0) {
      Exchange& victim = *client.exchanges[random() % client.exchanges.size()];
      resets += victim.closings == 0 ? 1 : 0;
      client.session.reset(victim, Code::cancel);
    }
    // Not everything at once: things are under way when they are cancelled.
    if (const std::size_t size = client.session.produce(buffer)) {
      ASSERT_TRUE(server.hears({buffer.data(), size}));
    }
    if (round % 3 == 0) {
      ASSERT_TRUE(client.hears(server.sends())) << client.session.failure().message;
    }
    client.passes(std::chrono::milliseconds(1));
  }
  client.passes(std::chrono::seconds(2));
  client.session.on_ping_due(client.now);
  talk(client, server);
  for (const auto& each : client.exchanges) {
    EXPECT_EQ(each->closings, 1);
    EXPECT_TRUE(each->ended.by == StreamEnd::us || each->received == each->body);
  }
  EXPECT_GT(resets, 100);
  EXPECT_EQ(client.session.slots_kept(), 0);
  EXPECT_EQ(client.session.open_streams(), 0);
  EXPECT_TRUE(server.sound());
}

}  // namespace
}  // namespace trunkline::http2
