// Whatever a server sends, cut anywhere and met by any of our own doings: every stream is closed once and nothing comes
// to it afterwards, and what is sent in answer stays in proportion. The same bytes whole and byte by byte tell every
// stream the same story. The input is a byte of flags, one that says how it is cut, 16 that say what is done at the
// cuts, and then frames.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/frames.h"
#include "http2/session.h"
#include "require.h"

namespace {

using namespace trunkline::http2;
using trunkline::Headers;
using trunkline::TimePoint;

class Exchange final : public Stream {
 public:
  explicit Exchange(Session& session) : session_(session) {}

  std::string story;
  std::size_t unread = 0;
  std::size_t body_left = 0;
  bool consumes = false;
  bool reset = false;  // by us
  bool closed = false;
  std::function<void(Exchange&)> on_response_seen;

  void on_informational(int status) override { tell("i" + std::to_string(status)); }
  void on_response(int status, Headers&& fields, std::optional<std::uint64_t> length, bool is_end) override {
    std::size_t bytes = 0;
    for (const Headers::Field field : fields) bytes += field.name.size() + field.value.size();
    tell("r" + std::to_string(status) + "," + std::to_string(fields.size()) + "," + std::to_string(bytes) +
         (length ? "," + std::to_string(*length) : "") + (is_end ? "." : ""));
    if (on_response_seen) on_response_seen(*this);
  }
  void on_data(std::string_view bytes) override {
    require(!closed, "data behind the end");
    unread += bytes.size();
    require(unread <= 2 * 1024 * 1024, "more than the window");
    // Not in the story: of a body that turns out too long, more is delivered when it comes in small pieces.
    received += bytes.size();
    if (consumes) session_.consumed(*this, std::exchange(unread, 0));
  }
  void on_trailers(Headers&& fields) override { tell("t" + std::to_string(fields.size())); }
  void on_end() override { tell("e" + std::to_string(received)); }
  void on_closed(const StreamEnd& end) override {
    // Which of two failures comes first may depend on the cuts; that there is one may not. What was never sent may have
    // ended with a GOAWAY, or with what broke the connection behind it.
    const bool failed = end.by != StreamEnd::complete && end.by != StreamEnd::peer && end.by != StreamEnd::unprocessed;
    tell(failed || !any_byte_sent() ? "c" : "c" + std::to_string(end.by));
    closed = true;
  }
  Body read_body(std::span<char> into) override {
    require(!closed, "a body is read behind the end");
    if (body_left == SIZE_MAX) return {.kind = Body::later};
    const std::size_t size = std::min(into.size(), body_left);
    std::memset(into.data(), 'b', size);
    body_left -= size;
    return {.size = size, .end = body_left == 0};
  }

 private:
  void tell(const std::string& what) {
    require(!closed, "an event behind the end");
    story += what;
  }
  Session& session_;
  std::size_t received = 0;
};

class Run final : public Session::Observer {
 public:
  explicit Run(unsigned flags) : session_(limits(flags), *this) {
    if ((flags & 2) != 0) feed(settings() + settings_ack());
    produce(SIZE_MAX);
    submit("GET", 0).consumes = true;
    submit("POST", 300'000);
    submit("HEAD", 0);
    submit("POST", SIZE_MAX);
    submit("GET", 0).on_response_seen = [this](Exchange& self) { reset(self, Code::cancel); };
    produce(SIZE_MAX);
    reset(submit("POST", 100), Code::cancel);
    produce(SIZE_MAX);
    submit("GET", 0);  // not sent yet
  }
  ~Run() {
    produce(SIZE_MAX);
    session_.lost();
    require(session_.open_streams() == 0 && session_.slots_kept() == 0, "something is left");
    require(resets_ == freed_, "each reset frees one slot");
    for (const auto& each : exchanges_) require(each->closed, "a stream was not closed");
  }

  void feed(std::string_view bytes) {
    // In memory of its own, so that AddressSanitizer sees what is read beyond.
    const std::vector<char> own(bytes.begin(), bytes.end());
    received_ += own.size();
    session_.receive({own.data(), own.size()}, now_);
  }

  void act(std::uint8_t what) {
    Exchange& one = *exchanges_[(what >> 3) % exchanges_.size()];
    switch (what % 8) {
      case 0:
        return produce(1);
      case 1:
        return reset(one, static_cast<Code>(what >> 4));
      case 2:
        return session_.consumed(one, std::exchange(one.unread, 0));
      case 3:
        if (exchanges_.size() < 50) submit(what < 128 ? "GET" : "POST", what < 128 ? 0 : 50);
        return;
      case 4:
        if (one.body_left == SIZE_MAX) one.body_left = 1000;
        return session_.resume(one);
      case 5:
        return produce(SIZE_MAX);
      case 6:
        now_ += std::chrono::milliseconds(300);
        if (session_.ping_due() <= now_) session_.on_ping_due(now_);
        return;
      default:
        return session_.ping(now_);
    }
  }

  void produce(std::size_t rounds) {
    std::array<char, 4096> buffer;
    for (; rounds > 0; --rounds) {
      const std::size_t size = session_.produce(buffer);
      if (size == 0) break;
      sent_ += size;
    }
    // 17 bytes answer 9 at most, twice for window updates; 600 kB are bodies, in frames of 1 KiB at least.
    require(sent_ <= 1'000'000 + 4 * received_, "more is sent than was asked for");
    require(rounds == 0 || !session_.wants_write(), "it wants to write, and does not");
  }

  std::string stories() {
    produce(SIZE_MAX);
    session_.lost();
    std::string all;
    for (const auto& each : exchanges_) all += each->story + "\n";
    return all;
  }

  void on_stream_limit(std::uint32_t streams) override { require(streams <= 1000, "limit"); }
  void on_goaway(Code, std::string_view debug) override {
    require(debug.size() <= 1000, "debug data");
    for (const char c : debug) require(c >= ' ' && c < 0x7F, "debug data");
  }
  void on_slots_freed(int count) override { freed_ += count; }

  void reset(Exchange& exchange, Code code) {
    if (exchange.closed || std::exchange(exchange.reset, true)) return;
    if (session_.reset(exchange, code)) ++resets_;
  }

 private:
  static Limits limits(unsigned flags) {
    if ((flags & 1) != 0) return {.header_bytes = 200, .header_count = 5, .informational = 2, .idle_frames = 50};
    return {.idle_frames = 100'000};
  }
  Exchange& submit(std::string_view method, std::size_t body) {
    Exchange& exchange = *exchanges_.emplace_back(std::make_unique<Exchange>(session_));
    exchange.body_left = body;
    const RequestHead head{.method = method, .scheme = "https", .authority = "a", .path = "/"};
    if (!session_.submit(exchange, head, body > 0)) exchange.closed = true;
    return exchange;
  }

  std::vector<std::unique_ptr<Exchange>> exchanges_;
  Session session_;
  TimePoint now_{std::chrono::hours(1)};
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  int resets_ = 0;
  int freed_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t head_size = 18;
  if (size < head_size || size > 300'000) return 0;
  const unsigned flags = data[0];
  const std::size_t piece = 1U + data[1];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + head_size, size - head_size);

  Run eventful(flags);
  for (std::size_t at = 0, cut = 0; at < bytes.size(); at += piece, ++cut) {
    eventful.feed(bytes.substr(at, piece));
    eventful.act(data[2 + cut % 16]);
  }

  // Small limits may be reached here and not there: in one piece, what makes progress and what makes none arrive
  // together.
  Run whole(flags & ~1U);
  whole.feed(bytes);
  Run byte_by_byte(flags & ~1U);
  for (std::size_t at = 0; at < bytes.size(); ++at) byte_by_byte.feed(bytes.substr(at, 1));
  const std::string expected = whole.stories();
  const std::string other = byte_by_byte.stories();
  if (expected != other) {
    std::fprintf(stderr, "whole:\n%s\nbyte by byte:\n%s\n", expected.c_str(), other.c_str());
    std::abort();
  }
  return 0;
}
