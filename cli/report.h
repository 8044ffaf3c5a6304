// What became of one planned request, its redirects included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <trunkline/error.hpp>
#include <trunkline/response.hpp>
#include <trunkline/trace.hpp>

namespace trunkline::cli {

// The connection that carried the last attempt. Known in part when the request failed: `ConnectionInfo` comes with a
// response only, the rest from the trace.
struct ConnectionReport {
  std::uint64_t id = 0;  // 0: none came about
  bool reused = false;
  std::string reuse_miss;   // empty: none
  std::string dial_reason;  // empty: this request caused no dial, or it is not known
  std::uint32_t requests = 0;
  std::uint32_t stream = 0;  // HTTP/2
  std::string address;
  std::string tls;
};

// Parts that are not known, because the request failed before or during them, are absent.
struct TimesReport {
  std::optional<Duration> queue;
  std::optional<Duration> resolve;
  std::optional<Duration> connect;
  std::optional<Duration> proxy;
  std::optional<Duration> tls;
  std::optional<Duration> first_byte;
  Duration total{0};
};

struct Report {
  std::uint64_t number = 0;  // from 1, in the order of the input
  std::string id;            // of a batch line
  std::string method;        // of the last hop, as `url`
  std::string url;           // as asked for, without userinfo
  std::string final_url;
  int redirects = 0;
  std::optional<ResponseHead> head;
  std::string body;  // when it was read whole
  std::uint64_t body_bytes = 0;
  Headers trailers;
  bool include_body = false;
  std::string output;     // the file that the body is for; empty: stdout
  bool streamed = false;  // the output has been written already
  std::optional<Error> error;
  std::string output_error;  // the response came, but could not be written
  ConnectionReport connection;
  TimesReport times;
  int retries = 0;
  std::optional<std::vector<TraceEvent>> trace;
};

ConnectionReport connection_report(const ConnectionInfo& info);
TimesReport times_report(const RequestTimes& times);

// From the events of a request that failed.
ConnectionReport connection_report(const std::vector<TraceEvent>& events);
TimesReport times_report(const std::vector<TraceEvent>& events, Duration total);

}  // namespace trunkline::cli
