// JSON in the order in which it is written; commas are put where they belong. Text that is not UTF-8 is replaced.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <trunkline/options.hpp>

namespace trunkline::config {

class JsonWriter {
 public:
  JsonWriter& open(char bracket) { return raw(std::string_view(&bracket, 1), false); }  // '{' or '['
  JsonWriter& close(char bracket);
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& text_or_null(std::string_view value);  // null when empty
  JsonWriter& integer(std::int64_t value);
  JsonWriter& number(double value);    // null when it is not finite
  JsonWriter& measured(double value);  // to the last digit, and NaN, +Inf and -Inf as text
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& seconds(Duration duration);
  JsonWriter& json(std::string_view text) { return raw(text, true); }  // is JSON already

  std::string take() { return std::move(out_); }

 private:
  JsonWriter& raw(std::string_view text, bool ends_value);

  std::string out_;
  bool needs_comma_ = false;
};

}  // namespace trunkline::config
