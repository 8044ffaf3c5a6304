#include "services/config/writer.h"

#include "base/text.h"
#include "services/config/number.h"

namespace trunkline::config {

Node& Writer::add(std::string_view name) {
  Node& child = node_.children.emplace_back();
  child.key = name;
  return child;
}

void Writer::scalar(std::string_view name, std::string text, bool quoted) {
  Node& child = add(name);
  child.kind = Node::Kind::scalar;
  child.text = std::move(text);
  child.quoted = quoted;
}

void Writer::text(std::string_view name, const std::string& value) { scalar(name, value, true); }
void Writer::word(std::string_view name, std::string_view value) { scalar(name, std::string(value), false); }
void Writer::texts(std::string_view name, const std::vector<std::string>& values, std::size_t /*most*/) {
  Node& items = add(name);
  items.kind = Node::Kind::list;
  for (const std::string& value : values) {
    items.children.push_back({.kind = Node::Kind::scalar, .quoted = true, .text = value});
  }
}
void Writer::texts_by_name(std::string_view name, const std::map<std::string, std::string>& values,
                           std::size_t /*most*/) {
  Writer out(add(name));
  for (const auto& [key, value] : values) out.text(key, value);
}
void Writer::boolean(std::string_view name, bool value) { scalar(name, value ? "true" : "false", false); }
void Writer::boolean(std::string_view name, const std::optional<bool>& value) {
  if (value) boolean(name, *value);
}
void Writer::integer(std::string_view name, int value, int /*least*/, int /*most*/) {
  scalar(name, std::to_string(value), false);
}
void Writer::integer(std::string_view name, const std::optional<int>& value, int least, int most) {
  if (value) integer(name, *value, least, most);
}
void Writer::number(std::string_view name, double value, Range /*range*/) { scalar(name, print_number(value), false); }
void Writer::seconds(std::string_view name, std::chrono::seconds value) { scalar(name, print_duration(value), false); }
void Writer::whole_seconds(std::string_view name, std::chrono::seconds value, int /*most*/) {
  scalar(name, std::to_string(value.count()), false);
}
void Writer::span(std::string_view name, std::chrono::nanoseconds value, std::chrono::nanoseconds /*least*/,
                  std::chrono::nanoseconds /*most*/) {
  scalar(name, print_duration(value), false);
}
void Writer::size(std::string_view name, std::uint64_t bytes, std::uint64_t /*least*/, std::uint64_t /*most*/) {
  scalar(name, print_size(bytes), false);
}
void Writer::duration(std::string_view name, std::chrono::nanoseconds value) {
  scalar(name, print_seconds(value), false);
}
void Writer::time(std::string_view name, TimePoint value) {
  scalar(name, print_seconds(value.time_since_epoch()), false);
}
void Writer::time(std::string_view name, const std::optional<TimePoint>& value) {
  if (value) time(name, *value);
}

void Writer::numbers(std::string_view name, const std::vector<double>& values) {
  Node& items = add(name);
  items.kind = Node::Kind::list;
  for (const double value : values) {
    items.children.push_back({.kind = Node::Kind::scalar, .text = print_number(value)});
  }
}

void Writer::times(std::string_view name, const std::vector<TimePoint>& values) {
  Node& items = add(name);
  items.kind = Node::Kind::list;
  for (const TimePoint value : values) {
    items.children.push_back({.kind = Node::Kind::scalar, .text = print_seconds(value.time_since_epoch())});
  }
}

}  // namespace trunkline::config
