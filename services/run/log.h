// One line for each event, for people or for machines, whole and in one write.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace trunkline::run {

enum class LogFormat : unsigned char { text, json };
enum class LogLevel : unsigned char { info, warning, error };

class Log {
 public:
  using Field = std::pair<std::string_view, std::string>;

  explicit Log(LogFormat format, int descriptor = 2) : format_(format), descriptor_(descriptor) {}

  // From any thread. `event` is one word that does not change; the sentence is for people.
  void write(LogLevel level, std::string_view event, std::string_view sentence,
             std::initializer_list<Field> fields = {}) const;

 private:
  const LogFormat format_;
  const int descriptor_;
};

// With its line end. `time` is RFC 3339.
std::string log_line(LogFormat format, std::string_view time, LogLevel level, std::string_view event,
                     std::string_view sentence, std::initializer_list<Log::Field> fields);

}  // namespace trunkline::run
