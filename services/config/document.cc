#include "services/config/document.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "services/config/yaml.h"

namespace trunkline::config {

const Node* Node::find(std::string_view name) const {
  for (const Node& child : children) {
    if (child.key == name) return kind == Kind::map ? &child : nullptr;
  }
  return nullptr;
}

bool same(const Node& a, const Node& b) {
  const auto same_member = [](const Node& x, const Node& y) { return x.key == y.key && same(x, y); };
  return a.kind == b.kind && a.quoted == b.quoted && a.text == b.text && a.children.size() == b.children.size() &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), same_member);
}

Error error_at(std::string_view name, Place place, std::string_view sentence) {
  std::string message(name);
  if (place.line > 0) message += ':' + std::to_string(place.line) + ':' + std::to_string(place.column);
  return {ErrorCode::invalid_options, Phase::prepare, message + ": " + std::string(sentence)};
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a mapping";
    case Node::Kind::scalar:
      break;
  }
  if (node.secret) return "a value that is not shown";
  return (node.quoted ? "the text \"" : "\"") + printable(node.text, 60) + "\"";
}

Result<std::vector<Node>> parse_documents(std::string_view text, std::string_view name, const Limits& limits) {
  if (text.size() > limits.bytes) {
    return error_at(name, {}, "is larger than " + print_size(limits.bytes) + ", which no such document needs to be");
  }
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0) return error_at(name, {}, "is not text in UTF-8");
    rest.remove_prefix(length);
  }
  // Our own reader first: it takes tabs and \u pairs as JSON has them. A flow mapping of YAML begins like JSON too.
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && (text[start] == '{' || text[start] == '[')) {
    Result<Node> json = parse_json(text, name, limits);
    if (json) return std::vector<Node>{std::move(*json)};
    if (name.ends_with(".json")) return std::move(json).error();
  }
  return parse_yaml(text, name, limits);
}

}  // namespace trunkline::config
