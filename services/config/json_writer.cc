#include "services/config/json_writer.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace trunkline::config {

JsonWriter& JsonWriter::raw(std::string_view text, bool ends_value) {
  if (needs_comma_) out_ += ',';
  out_ += text;
  needs_comma_ = ends_value;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  text(name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) { return raw(json_string(value), true); }

JsonWriter& JsonWriter::text_or_null(std::string_view value) { return value.empty() ? null() : text(value); }

JsonWriter& JsonWriter::integer(std::int64_t value) { return raw(std::to_string(value), true); }

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  char buffer[64];
  const int size = std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return raw({buffer, static_cast<std::size_t>(size)}, true);
}

JsonWriter& JsonWriter::measured(double value) {
  if (std::isnan(value)) return text("NaN");
  if (std::isinf(value)) return text(value > 0 ? "+Inf" : "-Inf");
  char buffer[32];
  return json({buffer, static_cast<std::size_t>(std::to_chars(buffer, buffer + sizeof buffer, value).ptr - buffer)});
}

JsonWriter& JsonWriter::boolean(bool value) { return raw(value ? "true" : "false", true); }

JsonWriter& JsonWriter::null() { return raw("null", true); }

JsonWriter& JsonWriter::seconds(Duration duration) {
  char buffer[64];
  const int size = std::snprintf(buffer, sizeof buffer, "%.6f", std::chrono::duration<double>(duration).count());
  return raw({buffer, static_cast<std::size_t>(size)}, true);
}

}  // namespace trunkline::config
