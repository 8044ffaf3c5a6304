// One line of JSON for each request, for files and collectors.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "server/log_entry.h"

namespace trunkline::server {

// {"time":"2026-11-21T14:00:00.123Z","ms":1.234,"peer":"192.0.2.1:50000",...} and a line feed. Fields that are empty
// are left out; whatever a client has sent is escaped.
std::string json_line(const LogEntry& entry);

struct AccessLogSettings {
  // Of requests that went well (status below 500, not cancelled) one in so many is written; all others always are. The
  // lines say so ("sampled":10), so that counts can be made from them.
  std::uint32_t one_in = 1;
};

// For Settings::on_request. `write` gets whole lines, on loops' threads, several at once.
std::function<void(const LogEntry&)> make_access_log(AccessLogSettings settings,
                                                     std::function<void(std::string_view)> write);

}  // namespace trunkline::server
