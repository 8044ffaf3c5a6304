#include "server/access_log.h"

#include <cstdio>
#include <ctime>
#include <memory>

#include "base/text.h"

namespace trunkline::server {
namespace {

std::string utc_text(std::chrono::system_clock::time_point at) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
  const auto second = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  ::gmtime_r(&second, &utc);
  char text[64];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(ms % 1000));
  return {text, static_cast<std::size_t>(size)};
}

void add(std::string& line, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  line += ",\"";
  line += name;
  line += "\":";
  append_json_string(line, value);
}

void add(std::string& line, std::string_view name, std::uint64_t value) {
  line += ",\"";
  line += name;
  line += "\":" + std::to_string(value);
}

std::string line_of(const LogEntry& entry, std::uint32_t one_in) {
  std::string line = "{\"time\":\"" + utc_text(entry.at) + "\"";
  char ms[32];
  const int size =
      std::snprintf(ms, sizeof ms, ",\"ms\":%.3f", std::chrono::duration<double, std::milli>(entry.took).count());
  line.append(ms, static_cast<std::size_t>(size));
  add(line, "peer", entry.peer);
  add(line, "protocol", to_string(entry.protocol));
  if (entry.secure) line += ",\"tls\":true";
  add(line, "method", entry.method);
  add(line, "authority", entry.authority);
  add(line, "path", entry.path);
  add(line, "status", static_cast<std::uint64_t>(entry.status));
  add(line, "received", entry.received);
  add(line, "sent", entry.sent);
  if (entry.cancelled) line += ",\"cancelled\":true";
  add(line, "request_id", entry.request_id);
  add(line, "traceparent", entry.traceparent);
  add(line, "user_agent", entry.user_agent);
  if (one_in > 1) add(line, "sampled", one_in);
  return line + "}\n";
}

}  // namespace

std::string json_line(const LogEntry& entry) { return line_of(entry, 1); }

std::function<void(const LogEntry&)> make_access_log(AccessLogSettings settings,
                                                     std::function<void(std::string_view)> write) {
  return [settings, write = std::move(write),
          count = std::make_shared<std::atomic<std::uint32_t>>(0)](const LogEntry& entry) {
    const bool went_well = entry.status < 500 && !entry.cancelled;
    if (!went_well || settings.one_in <= 1) {
      write(line_of(entry, 1));
    } else if (count->fetch_add(1, std::memory_order_relaxed) % settings.one_in == 0) {
      write(line_of(entry, settings.one_in));
    }
  };
}

}  // namespace trunkline::server
