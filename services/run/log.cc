#include "services/run/log.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "base/text.h"

namespace trunkline::run {
namespace {

constexpr std::size_t most_shown = 4096;

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      break;
  }
  return "error";
}

std::string time_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = milliseconds / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(milliseconds % 1000));
  return text.data();
}

}  // namespace

std::string log_line(LogFormat format, std::string_view time, LogLevel level, std::string_view event,
                     std::string_view sentence, std::initializer_list<Log::Field> fields) {
  std::string line;
  if (format == LogFormat::json) {
    line = "{\"time\":" + json_string(time) + ",\"level\":\"" + std::string(name_of(level)) +
           "\",\"event\":" + json_string(event) + ",\"message\":" + json_string(sentence);
    for (const auto& [name, value] : fields) line += ',' + json_string(name) + ':' + json_string(value);
    return line + "}\n";
  }
  line.append(time).append(" ").append(name_of(level)).append(" ").append(event).append(": ");
  line += printable(sentence, most_shown);
  for (const auto& [name, value] : fields) line.append(" ").append(name).append("=").append(printable(value));
  return line + '\n';
}

void Log::write(LogLevel level, std::string_view event, std::string_view sentence,
                std::initializer_list<Field> fields) const {
  const std::string line = log_line(format_, time_now(), level, event, sentence, fields);
  // Whoever reads it may be gone; there is nobody left to tell.
  if (::write(descriptor_, line.data(), line.size()) < 0) return;
}

}  // namespace trunkline::run
