// Whatever a client sends, cut anywhere and met by any of our own doings: every stream is closed once and nothing comes
// to it afterwards, what is held stays within the limits, and what is sent in answer stays in proportion. The same
// bytes whole and byte by byte tell every stream the same story. The input is a byte of flags, one that says how it is
// cut, 16 that say what is done at the cuts, and then frames; the preface is ours.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/frames.h"
#include "http2/server_session.h"
#include "require.h"

namespace {

using namespace trunkline::http2;
using trunkline::Headers;
using trunkline::TimePoint;

constexpr std::size_t most_streams = 20;
constexpr std::size_t window = 20'000;

class Served final : public ServerStream {
 public:
  Served(ServerSession& session, ReceivedRequest&& request) : session_(session) {
    require(!request.method.empty() && !request.authority.empty(), "no request");
    require(request.method == "CONNECT" || (!request.path.empty() && !request.scheme.empty()), "half a request");
    tell(std::string(request.method).append(request.path) + std::to_string(request.headers.size()));
    if (request.content_length) announced_ = *request.content_length;
  }

  std::string story;
  std::size_t unread = 0;
  std::size_t body_left = 0;
  int informed = 0;
  bool closed = false;
  Headers fields{{"Content-Type", "text/plain"}, {"Connection", "close"}};

  void on_data(std::string_view bytes) override {
    require(!closed && !ended_, "data behind the end");
    unread += bytes.size();
    received_ += bytes.size();
    require(unread <= 65'535 + 16'384, "more than the window");  // which is that until the client knows ours
    require(received_ <= announced_, "more than was announced");
    if (body_left % 2 == 0) session_.consumed(*this, std::exchange(unread, 0));
  }
  void on_trailers(Headers&& got) override { tell("t" + std::to_string(got.size())); }
  void on_end() override {
    require(announced_ == SIZE_MAX || received_ == announced_, "less than was announced");
    tell("e" + std::to_string(received_));
    ended_ = true;
  }
  void on_closed(const ServerStreamEnd&) override {
    tell("c");
    closed = true;
  }
  Body read_body(std::span<char> into) override {
    require(!closed, "a body is read behind the end");
    if (body_left == SIZE_MAX) return {.kind = Body::later};
    const std::size_t size = std::min(into.size(), body_left);
    std::memset(into.data(), 'b', size);
    body_left -= size;
    return {.size = size, .end = body_left == 0, .trailers = &fields};
  }

 private:
  void tell(const std::string& what) {
    require(!closed, "an event behind the end");
    story += what;
  }
  ServerSession& session_;
  std::size_t received_ = 0;
  std::size_t announced_ = SIZE_MAX;
  bool ended_ = false;
};

class Run final : public ServerSession::Observer {
 public:
  explicit Run(unsigned flags) : session_(limits(flags), *this) {
    produce(SIZE_MAX);
    feed(client_preface);
    if ((flags & 2) != 0) feed(settings() + settings_ack());
    accepts_ = (flags & 4) == 0;
    produce(SIZE_MAX);
  }
  ~Run() {
    produce(SIZE_MAX);
    session_.lost();
    require(session_.open_streams() == 0, "a stream is left");
    for (const auto& each : served_) require(each->closed, "a stream was not closed");
  }

  ServerStream* on_request(ReceivedRequest&& request, bool) override {
    if (!accepts_ && served_.size() % 2 == 1) return nullptr;
    return served_.emplace_back(std::make_unique<Served>(session_, std::move(request))).get();
  }
  void on_goaway(Code, std::string_view debug) override {
    require(debug.size() <= 1000, "debug data");
    for (const char c : debug) require(c >= ' ' && c < 0x7F, "debug data");
  }

  void feed(std::string_view bytes) {
    // In memory of its own, so that AddressSanitizer sees what is read beyond.
    const std::vector<char> own(bytes.begin(), bytes.end());
    received_ += own.size();
    session_.receive({own.data(), own.size()}, now_);
    require(static_cast<std::size_t>(session_.open_streams()) <= most_streams, "more streams than permitted");
  }

  void act(std::uint8_t what) {
    now_ += std::chrono::milliseconds(what);
    if (what % 8 == 0) return produce(1);
    if (what % 8 == 1) return produce(SIZE_MAX);
    if (what % 8 == 2) return session_.ping(now_);
    if (what == 3) return session_.announce_end();
    if (what == 11) return session_.refuse_new();
    if (served_.empty()) return;
    Served& one = *served_[(what >> 3) % served_.size()];
    if (one.closed) return;
    switch (what % 8) {
      case 3:
        return session_.reset(one, static_cast<Code>(what >> 5));
      case 4:
        session_.consumed(one, std::exchange(one.unread, 0));
        return;
      case 5:
        if (one.body_left == SIZE_MAX) one.body_left = 1000;
        return session_.resume(one);
      case 6:
        if (one.informed++ < 10) session_.inform(one, 103, one.fields);
        return;
      default:
        answer(one, what);
    }
  }

  void answer(Served& one, unsigned what) {
    constexpr std::array<std::size_t, 4> sizes{0, 10, 3001, SIZE_MAX};
    OutgoingResponse response;
    response.status = what > 200 ? 204 : 200;
    response.headers = &one.fields;
    response.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    one.body_left = sizes[what >> 3 & 3];
    session_.respond(one, response, one.body_left != 0);
  }

  void produce(std::size_t rounds) {
    std::array<char, 4096> buffer;
    for (; rounds > 0; --rounds) {
      const std::size_t size = session_.produce(buffer);
      if (size == 0) break;
      sent_ += size;
    }
    // 9 bytes and their answer of 17; a request of a few bytes has a response of 3 KB and a few interim ones.
    require(sent_ <= 10'000 + 4 * received_ + 5000 * served_.size(), "more is sent than was asked for");
    require(rounds == 0 || !session_.wants_write(), "it wants to write, and does not");
  }

  std::string stories() {
    produce(SIZE_MAX);
    const bool failed = session_.failed();
    session_.lost();
    std::string all = failed ? "failed\n" : "";
    for (const auto& each : served_) all += each->story + "\n";
    return all;
  }

 private:
  static ServerLimits limits(unsigned flags) {
    ServerLimits made;
    made.streams = most_streams;
    made.stream_window = window;
    made.idle_frames = 100'000;
    made.resets = 100'000;
    if ((flags & 1) != 0) {
      made.header_bytes = 300;
      made.header_count = 8;
      made.idle_frames = 50;
      made.resets = 5;
    }
    return made;
  }

  std::vector<std::unique_ptr<Served>> served_;
  ServerSession session_;
  TimePoint now_{std::chrono::hours(1)};
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  bool accepts_ = true;
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
