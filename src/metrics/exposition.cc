#include "metrics/exposition.h"

#include <array>
#include <string>

#include "base/text.h"

namespace trunkline::metrics {
namespace {

constexpr std::array<std::string_view, 8> words = {"untyped", "counter",        "gauge", "histogram",
                                                   "summary", "gaugehistogram", "info",  "stateset"};

bool is_one_of(std::string_view suffix, std::initializer_list<std::string_view> allowed) {
  for (const std::string_view one : allowed) {
    if (suffix == one) return true;
  }
  return false;
}

}  // namespace

std::string_view to_string(Type type, Format format) {
  if (type == Type::untyped && format == Format::openmetrics) return "unknown";
  return words[static_cast<std::size_t>(type)];
}

std::optional<Type> type_of(std::string_view word, Format format) {
  // Go's parser takes the words of the text format in any case, and exporters live on that.
  const std::string small = format == Format::text ? in_small_letters(word) : std::string(word);
  const std::size_t known = format == Format::text ? 5 : words.size();
  if (format == Format::openmetrics && small == "unknown") return Type::untyped;
  for (std::size_t i = format == Format::text ? 0 : 1; i < known; ++i) {
    if (words[i] == small) return static_cast<Type>(i);
  }
  return std::nullopt;
}

std::optional<Format> format_of(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  while (type.starts_with(' ') || type.starts_with('\t')) type.remove_prefix(1);
  const std::string small = in_small_letters(type);
  if (small == "application/openmetrics-text") return Format::openmetrics;
  if (small == "text/plain") return Format::text;
  return std::nullopt;
}

bool may_end_in(Type type, Format format, std::string_view suffix) {
  if (format == Format::text) {
    if (suffix.empty()) return true;
    if (type == Type::histogram) return is_one_of(suffix, {"_bucket", "_count", "_sum"});
    return type == Type::summary && is_one_of(suffix, {"_count", "_sum"});
  }
  switch (type) {
    case Type::counter:
      return is_one_of(suffix, {"_total", "_created"});
    case Type::histogram:
      return is_one_of(suffix, {"_bucket", "_count", "_sum", "_created"});
    case Type::gaugehistogram:
      return is_one_of(suffix, {"_bucket", "_gcount", "_gsum"});
    case Type::summary:
      return is_one_of(suffix, {"", "_count", "_sum", "_created"});
    case Type::info:
      return suffix == "_info";
    case Type::untyped:
    case Type::gauge:
    case Type::stateset:
      return suffix.empty();
  }
  return false;
}

}  // namespace trunkline::metrics
