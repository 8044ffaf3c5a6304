// What there is to say about a request when it is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <trunkline/options.hpp>

#include "server/request.h"

namespace trunkline::server {

// The views live as long as the call. There is no query: secrets travel there.
struct LogEntry {
  std::chrono::system_clock::time_point at;  // when its head was complete
  Duration took{0};
  std::string_view peer;
  Protocol protocol = Protocol::http1_1;
  bool secure = false;
  std::string_view method;  // empty, as are path and authority, when the request could not be read
  std::string_view authority;
  std::string_view path;
  int status = 0;              // 0: there was no answer
  std::uint64_t received = 0;  // of the request's body
  std::uint64_t sent = 0;      // of the response's body, as it was handed to the connection
  bool cancelled = false;      // the peer left, or was cut off, before the response was complete
  std::string_view request_id;
  std::string_view traceparent;
  std::string_view user_agent;
};

}  // namespace trunkline::server
