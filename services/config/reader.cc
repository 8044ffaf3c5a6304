#include "services/config/reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/nearest.h"
#include "base/text.h"
#include "services/config/number.h"

namespace trunkline::config {
namespace {

std::string expectation(Range range, std::string_view what) {
  std::string out(what);
  if (range.above_least) {
    out += " above " + print_number(range.least);
  } else if (range.least > std::numeric_limits<double>::lowest()) {
    out += range.most < std::numeric_limits<double>::max()
               ? " from " + print_number(range.least) + " to " + print_number(range.most)
               : ", at least " + print_number(range.least);
  }
  return out;
}

// Far enough from the ends of the type that no difference or sum of two can leave it.
bool is_a_time(std::chrono::nanoseconds value) {
  constexpr auto most = std::chrono::nanoseconds(std::numeric_limits<std::int64_t>::max() / 2);
  return value <= most && value >= -most;
}

}  // namespace

void Problems::add(Place place, std::string field, std::string sentence) {
  if (++count_ <= most_kept) list_.push_back({place, std::move(field), std::move(sentence)});
}

Error Problems::error() const {
  std::string message;
  for (const Problem& problem : list_) {
    if (!message.empty()) message += '\n';
    const std::string field = problem.field.empty() ? "" : problem.field + ": ";
    message += error_at(file_, problem.place, field + problem.sentence).message;
  }
  if (count_ > most_kept) message += "\nand " + std::to_string(count_ - most_kept) + " more";
  return {ErrorCode::invalid_options, Phase::prepare, message};
}

std::string Reader::path() const {
  std::string out = parent_ ? parent_->path() : "";
  if (!name_.empty()) out += (out.empty() ? "" : ".") + printable(name_, 60);
  if (index_ > 0) out += '[' + std::to_string(index_ - 1) + ']';
  return out;
}

std::string Reader::path_of(std::string_view field) const {
  std::string mine = path();
  if (field.empty()) return mine;
  return mine.empty() ? printable(field, 60) : mine + '.' + printable(field, 60);
}

const Node* Reader::take(std::string_view name) {
  asked_.push_back(name);
  const Node* node = node_.find(name);
  return node && node->kind != Node::Kind::null ? node : nullptr;
}

const Node* Reader::take_list(std::string_view name, std::size_t most) {
  const Node* node = take(name);
  if (!node || !is(*node, Node::Kind::list, name)) return nullptr;
  if (node->children.size() <= most) return node;
  problem(*node, name, "holds more than " + std::to_string(most) + " entries");
  return nullptr;
}

void Reader::finish() {
  if (takes_all_) return;
  for (const Node& child : node_.children) {
    if (std::find(asked_.begin(), asked_.end(), child.key) != asked_.end()) continue;
    const std::vector<std::string> known(asked_.begin(), asked_.end());
    std::string sentence = "there is no such field" + did_you_mean(child.key, known);
    if (sentence.ends_with("field")) {
      sentence += "; known here:";
      for (const std::string& one : known) sentence += ' ' + one;
    }
    problems_.add(child.key_place, path_of(child.key), std::move(sentence));
  }
}

bool Reader::is_map() {
  if (node_.kind == Node::Kind::map) return true;
  problems_.add(node_.place, path(), "expected a mapping, got " + describe(node_));
  return false;
}

bool Reader::is(const Node& node, Node::Kind kind, std::string_view name) {
  if (node.kind == kind) return true;
  wrong(node, name, kind == Node::Kind::list ? "a list" : kind == Node::Kind::map ? "a mapping" : "a single value");
  return false;
}

void Reader::problem(const Node& node, std::string_view name, std::string sentence) {
  problems_.add(node.place, path_of(name), std::move(sentence));
}

void Reader::wrong(const Node& node, std::string_view name, std::string_view expected) {
  problem(node, name, "expected " + std::string(expected) + ", got " + describe(node));
}

void Reader::not_one_of(const Node& node, std::string_view name, const std::vector<std::string>& known) {
  std::string expected = "expected one of";
  for (const std::string& one : known) expected += ' ' + one;
  const bool may_be_shown = node.kind == Node::Kind::scalar && !node.secret;
  const std::string hint = may_be_shown ? did_you_mean(node.text, known) : "";
  problem(node, name, expected + "; got " + describe(node) + hint);
}

void Reader::require(bool holds, std::string_view name, std::string_view sentence) {
  if (holds) return;
  const Node* field = node_.find(name);
  problem(field ? *field : node_, name, std::string(sentence));
}

void Reader::text(std::string_view name, std::string& out) {
  const Node* node = take(name);
  if (node && is(*node, Node::Kind::scalar, name)) out = node->text;
}

void Reader::texts(std::string_view name, std::vector<std::string>& out, std::size_t most) {
  const Node* node = take_list(name, most);
  if (!node) return;
  out.clear();
  for (const Node& child : node->children) {
    if (child.kind != Node::Kind::scalar) return wrong(child, name, "a list of single values");
    out.push_back(child.text);
  }
}

void Reader::texts_by_name(std::string_view name, std::map<std::string, std::string>& out, std::size_t most) {
  const Node* node = take(name);
  if (!node || !is(*node, Node::Kind::map, name)) return;
  if (node->children.size() > most) return problem(*node, name, "holds more than " + std::to_string(most) + " entries");
  out.clear();
  for (const Node& child : node->children) {
    if (child.kind != Node::Kind::scalar) return wrong(child, name, "a single value for each name");
    out[child.key] = child.text;
  }
}

void Reader::boolean(std::string_view name, bool& out) {
  const Node* node = take(name);
  if (!node) return;
  if (!node->quoted && (node->text == "true" || node->text == "false")) {
    out = node->text == "true";
  } else {
    wrong(*node, name, "true or false");
  }
}

void Reader::boolean(std::string_view name, std::optional<bool>& out) {
  bool value = false;
  if (has(name)) boolean(name, value);
  if (take(name)) out = value;
}

void Reader::integer(std::string_view name, int& out, int least, int most) {
  const Node* node = take(name);
  if (!node) return;
  int value = 0;
  const char* end = node->text.data() + node->text.size();
  const auto [stop, error] = std::from_chars(node->text.data(), end, value);
  if (node->quoted || node->text.empty() || error != std::errc() || stop != end || value < least || value > most) {
    wrong(*node, name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return;
  }
  out = value;
}

void Reader::integer(std::string_view name, std::optional<int>& out, int least, int most) {
  int value = least;
  integer(name, value, least, most);
  if (take(name)) out = value;
}

void Reader::check(const Node& node, std::string_view name, double value, Range range, double& out) {
  const bool anything_goes = std::isinf(range.most);
  if (!anything_goes &&
      (!(value >= range.least && value <= range.most) || (range.above_least && value <= range.least))) {
    wrong(node, name, expectation(range, "a number"));
    return;
  }
  out = value;
}

void Reader::number(std::string_view name, double& out, Range range) {
  const Node* node = take(name);
  if (!node) return;
  // JSON has no word for these three, so that they come as text.
  const auto value = read_number(node->text);
  if (!value || (node->quoted && std::isfinite(*value))) {
    wrong(*node, name, expectation(range, "a number"));
    return;
  }
  check(*node, name, *value, range, out);
}

void Reader::quantity(std::string_view name, double& out, Range range) {
  const Node* node = take(name);
  if (!node) return;
  if (const auto value = read_quantity(node->text)) {
    check(*node, name, *value, range, out);
  } else {
    wrong(*node, name, expectation(range, "a quantity such as 20, 0.5, 250m or 1Gi"));
  }
}

void Reader::size(std::string_view name, std::uint64_t& bytes, std::uint64_t least, std::uint64_t most) {
  const Node* node = take(name);
  if (!node) return;
  Result<std::uint64_t> read =
      node->kind == Node::Kind::scalar ? parse_size(node->text) : Result<std::uint64_t>(Error());
  // As templates print large numbers: 6.7108864e+07.
  const auto plain = read || node->kind != Node::Kind::scalar ? std::nullopt : read_number(node->text);
  if (plain && *plain >= 0 && *plain < 1e18) read = static_cast<std::uint64_t>(*plain);
  if (!read || *read < least || *read > most) {
    wrong(*node, name, "a size from " + print_size(least) + " to " + print_size(most) + ", such as 64MiB");
    return;
  }
  bytes = *read;
}

bool Reader::measured(const Node& node, std::string_view name, double& out) {
  auto value = read_number(node.text);
  if (!value || (node.quoted && std::isfinite(*value))) value = read_quantity(node.text);
  if (value && node.kind == Node::Kind::scalar) {
    out = *value;
    return true;
  }
  wrong(node, name, "a number");
  return false;
}

void Reader::measured(std::string_view name, double& out) {
  if (const Node* node = take(name)) measured(*node, name, out);
}

void Reader::seconds(std::string_view name, std::chrono::seconds& out) {
  const Node* node = take(name);
  if (!node) return;
  const Result<std::chrono::nanoseconds> value = parse_duration(node->text);
  if (!value || *value > longest_time || *value % std::chrono::seconds(1) != std::chrono::nanoseconds(0)) {
    wrong(*node, name, "whole seconds such as 15s, 5m or 1h, at most 366d");
    return;
  }
  out = std::chrono::duration_cast<std::chrono::seconds>(*value);
}

void Reader::span(std::string_view name, std::chrono::nanoseconds& out, std::chrono::nanoseconds least,
                  std::chrono::nanoseconds most) {
  const Node* node = take(name);
  if (!node) return;
  const Result<std::chrono::nanoseconds> value = parse_duration(node->text);
  if (!value || *value < least || *value > most) {
    wrong(*node, name,
          "a time from " + print_duration(least) + " to " + print_duration(most) + ", such as 500ms or 15s");
    return;
  }
  out = *value;
}

void Reader::whole_seconds(std::string_view name, std::chrono::seconds& out, int most) {
  int value = static_cast<int>(out.count());
  integer(name, value, 0, most);
  out = std::chrono::seconds(value);
}

void Reader::duration(std::string_view name, std::chrono::nanoseconds& out) {
  const Node* node = take(name);
  if (!node) return;
  const auto value = read_seconds(node->text);
  if (!value || node->quoted || value->count() < 0 || *value > longest_time) {
    wrong(*node, name, "a number of seconds, 0 or more");
    return;
  }
  out = *value;
}

void Reader::time(std::string_view name, TimePoint& out) {
  const Node* node = take(name);
  if (!node) return;
  const auto value = read_seconds(node->text);
  if (!value || node->quoted || !is_a_time(*value)) {
    wrong(*node, name, "a time in seconds");
    return;
  }
  out = TimePoint(*value);
}

void Reader::time(std::string_view name, std::optional<TimePoint>& out) {
  TimePoint value{};
  time(name, value);
  if (take(name)) out = value;
}

void Reader::numbers(std::string_view name, std::vector<double>& out) {
  const Node* node = take_list(name, 1'000'000);
  if (!node) return;
  out.clear();
  for (const Node& child : node->children) {
    const auto value = read_number(child.text);
    if (!value) return wrong(child, name, "numbers");
    out.push_back(*value);
  }
}

void Reader::times(std::string_view name, std::vector<TimePoint>& out) {
  const Node* node = take_list(name, 1'000'000);
  if (!node) return;
  out.clear();
  for (const Node& child : node->children) {
    const auto value = read_seconds(child.text);
    if (!value || !is_a_time(*value)) return wrong(child, name, "times in seconds");
    out.emplace_back(*value);
  }
}

}  // namespace trunkline::config
