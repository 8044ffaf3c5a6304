// An honest HTTP/2 server that counts, on nghttp2: what it saw is the oracle of the tests. One thread. Each response's
// body is the request's target, so that a reply which reaches the wrong request is seen; some paths do otherwise:
//
//   /size/N          N bytes of pattern()          /trailers        the request's trailers and x-sum as trailers
//   /hold            answers when released         /head            the head at once, the body when released
//   /hints/N         N times 103 first             /status/N        that status, no body
//   /delay/MS        answers so much later         /count           the number of bytes of the request's body
//   /hint_upload/MS  103 at the first byte of the request's body, and answers so much later than its end
//   /deaf            takes no more of the request's body than one window, until released
//   /early           413 in full at the first byte of the request's body, then RST_STREAM(NO_ERROR)
//   /refuse/N        that status at the first byte of the request's body, which it takes; its own when released
//   /reset/CODE      RST_STREAM instead of an answer; /reset_upload/CODE: at the first byte of the request's body
//
// Servers that break the protocol are in faultd/http2.py.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/certificates.h"

namespace trunkline::test {

struct H2Options {
  const Certificate* certificate = nullptr;  // with one: TLS
  std::string alpn = "h2";                   // what it picks, offered or not; empty: nothing
  std::optional<std::uint32_t> limit = 100;  // SETTINGS_MAX_CONCURRENT_STREAMS; nothing: it does not say
  bool strict = false;            // a stream beyond the limit ends the connection, even one sent before its SETTINGS
  bool settings_on_word = false;  // it sends nothing before send_settings()
  std::chrono::milliseconds delay{0};  // of every answer
  int goaway_after = 0;                // requests on a connection; then GOAWAY with the last of them
  bool warn = false;         // with a GOAWAY(2^31-1) first; the second comes when the client has answered a PING
  int refuse_every = 0;      // every so many-th stream gets REFUSED_STREAM
  bool lets_cancel = false;  // as often as anyone likes: nghttp2 ends a connection after a thousand in a row
  int calm_after = 0;        // PINGs without a request between them; then GOAWAY(ENHANCE_YOUR_CALM)
};

struct H2Request {
  int connection = 0;  // from 1
  std::int32_t stream = 0;
  std::string method;
  std::string path;
  std::string id;  // the field x-id
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;  // its first 64 KiB
  std::int64_t body_bytes = 0;
  std::int64_t sent_bytes = 0;   // of the response's body
  bool processed = false;        // its handler ran
  std::int64_t reset_code = -1;  // of the client's RST_STREAM

  std::string field(std::string_view name) const;  // or "(none)"
};

struct H2Connection {
  int id = 0;
  int streams = 0;                // in all
  int most_streams = 0;           // at once
  int pings = 0;                  // the client's, answers not counted
  int resets = 0;                 // the client's
  std::int64_t goaway_code = -1;  // the client's
  bool open = true;
};

class H2Server {
 public:
  explicit H2Server(const H2Options& options = {});
  ~H2Server();
  H2Server(const H2Server&) = delete;
  H2Server& operator=(const H2Server&) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "/") const;

  std::int64_t accepts() const { return accepts_; }
  std::int64_t open() const { return open_; }
  std::int64_t requests() const { return requests_; }      // that came, processed or not
  std::int64_t processed() const { return processed_; }    // whose handler ran
  std::int64_t streams() const { return streams_; }        // open now, on all connections
  std::int64_t held() const { return held_; }              // waiting for release()
  std::int64_t most_streams() const;                       // at once, on one connection
  std::int64_t overshoots() const { return overshoots_; }  // streams beyond the limit that was told, or is to be
  std::int64_t refused() const { return refused_; }
  std::int64_t pings() const { return pings_; }
  std::int64_t resets() const { return resets_; }
  // The client's, on one connection without a PING of the client's in between: what rapid-reset defences look at.
  std::int64_t most_resets_in_a_row() const { return most_resets_in_a_row_; }
  std::int64_t goaways_sent() const { return goaways_sent_; }  // to how many connections
  std::int64_t body_bytes() const { return body_bytes_; }      // received, on all streams
  std::vector<H2Request> log() const;
  std::vector<H2Connection> connections() const;
  std::vector<std::string> processed_twice() const;  // the x-id of each

  // These take effect soon; what they cause is seen in the counters.
  void set_limit(std::uint32_t streams);
  void send_settings();
  void release();            // what is held, and all that comes
  void goaway();             // all connections: GOAWAY with the last stream that came
  void hang_up(bool reset);  // all connections: FIN or RST, without GOAWAY
  void black_hole();         // reads and writes no more on those that are open; new ones are served

 private:
  class Worker;

  void post(std::function<void(Worker&)> order);
  H2Request& entry(std::size_t index) { return log_[index]; }  // under the lock

  const H2Options options_;
  int port_ = 0;
  int listening_ = -1;
  int wake_ = -1;
  void* tls_ = nullptr;  // SSL_CTX
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> accepts_{0};
  std::atomic<std::int64_t> open_{0};
  std::atomic<std::int64_t> requests_{0};
  std::atomic<std::int64_t> processed_{0};
  std::atomic<std::int64_t> streams_{0};
  std::atomic<std::int64_t> held_{0};
  std::atomic<std::int64_t> overshoots_{0};
  std::atomic<std::int64_t> refused_{0};
  std::atomic<std::int64_t> pings_{0};
  std::atomic<std::int64_t> resets_{0};
  std::atomic<std::int64_t> most_resets_in_a_row_{0};
  std::atomic<std::int64_t> goaways_sent_{0};
  std::atomic<std::int64_t> body_bytes_{0};
  mutable std::mutex mutex_;
  std::deque<H2Request> log_;
  std::vector<H2Connection> connections_;
  std::vector<std::function<void(Worker&)>> orders_;
  std::thread thread_;
};

}  // namespace trunkline::test
