// For tests: a server's session with everything it says written down, and the frames it sends.
//
//   Server server;                                   // a session whose client has sent preface and SETTINGS
//   server.get(1);                                   // a request that has come
//   server.answer(server.last());
//   EXPECT_EQ(server.last().story, "GET /; end; closed complete NO_ERROR");
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/frames.h"
#include "http2/server_session.h"
#include "http2/session_kit.h"

namespace trunkline::http2 {

inline std::string_view to_string(ServerStreamEnd::By by) {
  constexpr std::array<std::string_view, 5> names{"complete", "us", "peer", "malformed", "connection_lost"};
  return names[by];
}

// A request as it is kept.
struct ServedRequest {
  explicit ServedRequest(ReceivedRequest&& came)
      : method(came.method),
        scheme(came.scheme),
        authority(came.authority),
        path(came.path),
        headers(std::move(came.headers)),
        content_length(came.content_length) {}

  std::string method;
  std::string scheme;
  std::string authority;
  std::string path;
  Headers headers;
  std::optional<std::uint64_t> content_length;
};

class Served : public ServerStream {
 public:
  Served(ServerSession& session, ReceivedRequest&& came) : request(std::move(came)), session_(session) {
    tell(request.method + " " + request.path + (request.content_length ? " of " : "") +
         (request.content_length ? std::to_string(*request.content_length) : ""));
  }

  ServedRequest request;
  std::string story;     // what happened, in order
  std::string received;  // of the body
  Headers trailers;      // of the request
  Headers fields;        // of the response; lent to the session
  std::string body;      // of the response
  std::size_t body_sent = 0;
  std::size_t body_ready = SIZE_MAX;  // of it, so much may be sent; then `later`
  bool body_fails = false;
  Headers response_trailers;
  bool consumes = true;  // what comes, at once
  int closings = 0;
  std::function<void(Served&)> on_event;  // after each

  void on_data(std::string_view bytes) override {
    received += bytes;
    if (consumes) session_.consumed(*this, bytes.size());
  }
  void on_trailers(Headers&& got) override {
    trailers = std::move(got);
    tell("trailers");
  }
  void on_end() override { tell("end"); }
  void on_closed(const ServerStreamEnd& end) override {
    ++closings;
    tell("closed " + std::string(to_string(end.by)) + " " + std::string(to_string(end.code)));
  }
  Body read_body(std::span<char> into) override {
    if (body_fails) return {.kind = Body::failed};
    const std::size_t size = std::min({into.size(), body.size() - body_sent, body_ready - body_sent});
    if (size == 0 && body_sent < body.size()) return {.kind = Body::later};
    std::memcpy(into.data(), body.data() + body_sent, size);
    body_sent += size;
    return {.size = size, .end = body_sent == body.size(), .trailers = &response_trailers};
  }

 private:
  void tell(const std::string& what) {
    EXPECT_EQ(closings, what.starts_with("closed") ? 1 : 0) << "an event behind the end";
    if (!story.empty()) story += "; ";
    story += what;
    if (on_event) on_event(*this);
  }
  ServerSession& session_;
};

class Server final : public ServerSession::Observer {
 public:
  explicit Server(const ServerLimits& limits = {}, bool greeted = true) : session(limits, *this) {
    if (greeted) hears(std::string(client_preface) + settings() + settings_ack());
    sends();
  }
  ~Server() { session.lost(); }  // before the streams go

  std::vector<std::unique_ptr<Served>> order;  // the requests that were accepted
  std::string goaways;                         // "CODE debug;"
  bool accepts = true;
  std::function<void(Served&)> on_new;
  ServerSession session;
  Encoder hpack;  // the client's
  TimePoint now{std::chrono::hours(1)};
  std::string output;  // not parsed yet
  std::vector<SentFrame> sent;

  ServerStream* on_request(ReceivedRequest&& request, bool) override {
    if (!accepts) return nullptr;
    Served& served = *order.emplace_back(std::make_unique<Served>(session, std::move(request)));
    if (on_new) on_new(served);
    return &served;
  }
  void on_goaway(Code code, std::string_view debug) override {
    goaways += std::string(to_string(code)) + " " + std::string(debug) + ";";
  }

  Served& at(std::size_t index) { return *order.at(index); }
  Served& last() { return *order.back(); }

  static Encoder::Fields fields(std::string_view method = "GET", Encoder::Fields more = {}) {
    Encoder::Fields all{
        {":method", std::string(method)}, {":scheme", "http"}, {":authority", "a.test"}, {":path", "/"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  bool get(std::int32_t id, std::string_view method = "GET") {
    return hears(hpack.headers(id, fields(method), end_stream));
  }
  bool post(std::int32_t id, Encoder::Fields more = {}) { return hears(hpack.headers(id, fields("POST", more))); }
  // The answer is on its way when this returns.
  std::vector<SentFrame> answer(Served& served, int status = 200, std::string body = {}) {
    served.body = std::move(body);
    OutgoingResponse response;
    response.status = status;
    response.headers = &served.fields;
    EXPECT_TRUE(session.respond(served, response, !served.body.empty() || served.body_fails));
    return sends();
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
    std::vector<SentFrame> frames = take_frames(output);
    EXPECT_TRUE(output.empty() || !session.wants_write()) << "a frame was cut";
    sent.insert(sent.end(), frames.begin(), frames.end());
    return frames;
  }
};

// A client's HPACK decoder, which sees every header block of the connection in order: "[:status=200] [date=x]".
class Decoder {
 public:
  Decoder() {
    if (nghttp2_hd_inflate_new(&inflater_) != 0) throw std::bad_alloc();
  }
  ~Decoder() { nghttp2_hd_inflate_del(inflater_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  std::string read(const SentFrame& headers) {
    std::string out;
    const auto* in = reinterpret_cast<const std::uint8_t*>(headers.payload.data());
    std::size_t left = headers.payload.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, in, left, 1);
      EXPECT_GE(used, 0);
      if (used < 0) break;
      in += used;
      left -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        const auto text = [](const std::uint8_t* bytes, std::size_t size) {
          return std::string(reinterpret_cast<const char*>(bytes), size);
        };
        if (!out.empty()) out += " ";
        out += "[" + text(field.name, field.namelen) + "=" + text(field.value, field.valuelen) + "]";
        if ((field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0) out += " (secret)";
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return out;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace trunkline::http2
