// One exchange on a server's HTTP/2 session, as the session sees it. The server's exchange derives from this, so that a
// stream costs no look-up and no allocation here. Everything happens on the thread that drives the session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <trunkline/headers.hpp>

#include "http2/stream.h"

namespace trunkline::http2 {

// A request that has passed RFC 9113 section 8.3. The texts live as long as the call.
struct ReceivedRequest {
  std::string_view method;     // a token
  std::string_view scheme;     // "http" or "https", as the client says; empty with CONNECT
  std::string_view authority;  // "host" or "host:port": :authority, or Host where there is none
  std::string_view path;       // "/path?query", "*" with OPTIONS; empty with CONNECT
  Headers headers;             // names in small letters; cookies that came apart are still apart
  std::optional<std::uint64_t> content_length;
};

// What is sent. The headers must stay until the head was sent (ServerStream::head_sent) or the stream closed: they are
// not copied before.
struct OutgoingResponse {
  int status = 200;  // 200 to 599
  // Sound fields (http1::check_response). Names may have capitals; Connection and Keep-Alive, for which HTTP/2 has no
  // word, are left out. Date and Server replace ours.
  const Headers* headers = nullptr;
  std::string_view date;                        // of this second; copied; empty: no such field
  std::string_view server;                      // the same
  std::optional<std::uint64_t> content_length;  // sent unless the headers hold it
};

// How a stream ended.
struct ServerStreamEnd {
  enum By : unsigned char {
    complete,         // the response went out whole, and what was wanted of the request came
    us,               // ServerSession::reset, or the body failed
    peer,             // RST_STREAM
    malformed,        // the client broke HTTP on this stream; only it is affected
    connection_lost,  // the session has ended
  } by = complete;
  Code code = Code::no_error;
};

class ServerStream {
 public:
  using Body = Stream::Body;

  // To be answered with ServerSession::consumed, now or later, for every byte.
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_trailers(Headers&& fields) = 0;
  virtual void on_end() = 0;  // the request is complete; the response may not be
  // Once, last: the session has forgotten this stream, which may be destroyed from here. Work that goes on for a stream
  // that the peer has reset must be stopped or counted: the peer may open another at once (CVE-2023-44487).
  virtual void on_closed(const ServerStreamEnd& end) = 0;
  // The space is where the bytes leave from: nothing is copied again.
  virtual Body read_body(std::span<char> into) = 0;

  std::int32_t stream_id() const { return id_; }
  bool responded() const { return responded_; }  // ServerSession::respond was called
  bool head_sent() const { return head_sent_; }  // the response's HEADERS have left
  bool request_ended() const { return ended_; }  // END_STREAM came

 protected:
  ServerStream() = default;
  virtual ~ServerStream() = default;  // virtual only because g++ warns about the friend
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

 private:
  friend class ServerSession;
  friend class OpenStreams<ServerStream>;
  std::int32_t id_ = 0;
  int interims_ = 0;      // of its HEADERS under way, that are not the response's
  bool open_ = false;     // the session knows it
  bool to_head_ = false;  // the response to HEAD has no body
  bool responded_ = false;
  bool head_sent_ = false;
  bool response_done_ = false;  // END_STREAM has left
  bool ended_ = false;
  bool reset_by_us_ = false;
  bool reset_by_peer_ = false;
  bool body_failed_ = false;
  bool malformed_ = false;
  BodyLength body_left_;
  Window window_;
  FieldCount fields_;
  ServerStream* previous_ = nullptr;  // among the open ones
  ServerStream* next_ = nullptr;
};

}  // namespace trunkline::http2
