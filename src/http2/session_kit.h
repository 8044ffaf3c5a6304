// For tests: a session with everything it says written down, and the frames it sends.
//
//   Client client;                                   // a session whose server has sent its SETTINGS
//   Exchange& get = client.get();                    // a request that is on its way
//   client.hears(client.hpack.ok(get.id(), end_stream));
//   EXPECT_EQ(get.story, "response 200; end; closed complete NO_ERROR");
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http2/frames.h"
#include "http2/session.h"

namespace trunkline::http2 {

inline constexpr std::string_view client_magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string_view to_string(StreamEnd::By by) {
  constexpr std::array<std::string_view, 7> names{"complete", "us",        "peer",           "unprocessed",
                                                  "unsent",   "malformed", "connection_lost"};
  return names[by];
}

struct SentFrame {
  FrameType type{};
  std::uint8_t flags = 0;
  std::int32_t id = 0;
  std::string payload;

  std::uint32_t value(std::size_t at = 0) const {
    std::uint32_t out = 0;
    for (std::size_t i = at; i < at + 4; ++i) out = out << 8 | static_cast<std::uint8_t>(payload.at(i));
    return out;
  }
  Code code() const { return static_cast<Code>(value(type == FrameType::goaway ? 4 : 0)); }
};

// Those that are whole, off the front.
inline std::vector<SentFrame> take_frames(std::string& output) {
  std::vector<SentFrame> frames;
  std::string_view rest = output;
  while (rest.size() >= frame_head_size) {
    const auto byte = [rest](std::size_t at) { return static_cast<std::uint8_t>(rest[at]); };
    const std::size_t size = static_cast<std::size_t>(byte(0)) << 16 | static_cast<std::size_t>(byte(1)) << 8 | byte(2);
    if (rest.size() < frame_head_size + size) break;
    SentFrame frame{static_cast<FrameType>(byte(3)), byte(4), 0, std::string(rest.substr(frame_head_size, size))};
    for (std::size_t at = 5; at < 9; ++at) frame.id = frame.id << 8 | byte(at);
    frames.push_back(std::move(frame));
    rest.remove_prefix(frame_head_size + size);
  }
  output.erase(0, output.size() - rest.size());
  return frames;
}

class Exchange : public Stream {
 public:
  explicit Exchange(Session& session) : session_(session) {}

  std::string story;     // what happened, in order
  std::string received;  // of the body
  Headers fields;        // the last ones
  std::string body;      // of the request
  std::size_t body_sent = 0;
  std::size_t body_ready = SIZE_MAX;  // of it, so much may be sent; then `later`
  bool body_fails = false;
  Headers trailers;
  bool consumes = true;  // what comes, at once
  int closings = 0;
  StreamEnd ended;
  std::function<void(Exchange&)> on_event;  // after each

  std::int32_t id() const { return stream_id(); }

  void on_informational(int status) override { tell("informational " + std::to_string(status)); }
  void on_response(int status, Headers&& got, std::optional<std::uint64_t> length, bool is_end) override {
    fields = std::move(got);
    tell("response " + std::to_string(status) + (length ? " of " + std::to_string(*length) : "") +
         (is_end ? " without body" : ""));
  }
  void on_data(std::string_view bytes) override {
    received += bytes;
    if (consumes) session_.consumed(*this, bytes.size());
    if (on_event) on_event(*this);
  }
  void on_trailers(Headers&& got) override {
    fields = std::move(got);
    tell("trailers");
  }
  void on_end() override { tell("end"); }
  void on_closed(const StreamEnd& end) override {
    ++closings;
    ended = end;
    tell("closed " + std::string(to_string(end.by)) + " " + std::string(to_string(end.code)) +
         (end.over_limit ? " over limit" : ""));
  }
  Body read_body(std::span<char> into) override {
    if (body_fails) return {.kind = Body::failed};
    const std::size_t size = std::min({into.size(), body.size() - body_sent, body_ready - body_sent});
    if (size == 0 && body_sent < body.size()) return {.kind = Body::later};
    std::memcpy(into.data(), body.data() + body_sent, size);
    body_sent += size;
    return {.size = size, .end = body_sent == body.size(), .trailers = &trailers};
  }

 private:
  void tell(const std::string& what) {
    story += (story.empty() ? "" : "; ") + what;
    if (on_event) on_event(*this);
  }
  Session& session_;
};

class Client final : public Session::Observer {
 public:
  explicit Client(const Limits& limits = {}, bool greeted = true) : session(limits, *this) {
    if (greeted) hears(settings() + settings_ack());
    sends();
  }
  ~Client() { session.lost(); }  // before the exchanges go

  std::deque<std::unique_ptr<Exchange>> exchanges;
  std::vector<std::uint32_t> stream_limits;
  std::string goaways;  // "CODE debug;"
  int slots_freed = 0;
  std::function<void(int)> on_freed;
  Session session;
  Encoder hpack;  // the server's
  TimePoint now{std::chrono::hours(1)};

  void on_stream_limit(std::uint32_t streams) override { stream_limits.push_back(streams); }
  void on_goaway(Code code, std::string_view debug) override {
    goaways += std::string(to_string(code)) + " " + std::string(debug) + ";";
  }
  void on_slots_freed(int count) override {
    slots_freed += count;
    if (on_freed) on_freed(count);
  }

  Exchange& make() { return *exchanges.emplace_back(std::make_unique<Exchange>(session)); }
  bool submit(Exchange& exchange, std::string_view method = "GET", const Headers* headers = nullptr) {
    RequestHead head{.method = method, .scheme = "http", .authority = "a.test", .path = "/", .headers = headers};
    return session.submit(exchange, head, !exchange.body.empty() || exchange.body_fails);
  }
  // Its HEADERS, and as much of its body as fits, are sent.
  Exchange& get(std::string_view method = "GET", const Headers* headers = nullptr) {
    Exchange& exchange = make();
    EXPECT_TRUE(submit(exchange, method, headers));
    sends();
    return exchange;
  }
  Exchange& post(std::string body, std::size_t ready = SIZE_MAX) {
    Exchange& exchange = make();
    exchange.body = std::move(body);
    exchange.body_ready = ready;
    EXPECT_TRUE(submit(exchange, "POST"));
    sends();
    return exchange;
  }

  // From memory of exactly that size, so that AddressSanitizer sees what is read beyond.
  bool hears(std::string_view bytes) {
    const std::vector<char> own(bytes.begin(), bytes.end());
    return session.receive({own.data(), own.size()}, now);
  }
  void passes(std::chrono::nanoseconds time) { now += time; }

  // All there is to be sent, as frames; also kept in `sent`.
  std::vector<SentFrame> sends(std::size_t buffer_size = 16 * 1024) {
    std::vector<char> buffer(buffer_size);
    while (const std::size_t size = session.produce(buffer)) output.append(buffer.data(), size);
    std::vector<SentFrame> frames = parse();
    sent.insert(sent.end(), frames.begin(), frames.end());
    return frames;
  }
  std::string output;  // not parsed yet
  std::vector<SentFrame> sent;
  bool preface_seen = false;

 private:
  std::vector<SentFrame> parse() {
    if (!preface_seen && output.size() >= client_magic.size()) {
      EXPECT_TRUE(output.starts_with(client_magic));
      output.erase(0, client_magic.size());
      preface_seen = true;
    }
    std::vector<SentFrame> frames = take_frames(output);
    EXPECT_TRUE(output.empty() || !session.wants_write()) << "a frame was cut";
    return frames;
  }
};

inline std::vector<SentFrame> only(const std::vector<SentFrame>& frames, FrameType type) {
  std::vector<SentFrame> out;
  std::copy_if(frames.begin(), frames.end(), std::back_inserter(out), [&](auto& each) { return each.type == type; });
  return out;
}
inline std::size_t count(const std::vector<SentFrame>& frames, FrameType type) { return only(frames, type).size(); }

// The code of the one RST_STREAM among these frames, or of the GOAWAY.
inline std::string_view only_code(const std::vector<SentFrame>& frames, FrameType type) {
  const auto found = only(frames, type);
  return found.size() == 1 ? to_string(found.front().code()) : "not one";
}

}  // namespace trunkline::http2
