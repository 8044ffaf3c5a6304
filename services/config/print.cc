#include "services/config/print.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "services/config/number.h"

namespace trunkline::config {
namespace {

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

// Whether YAML, of any version and in any reader, takes it for text without quotes. When in doubt it is quoted.
bool is_plain_text(std::string_view text) {
  static constexpr std::array<std::string_view, 11> words = {"null", "true", "false", "yes", "no", "on",
                                                             "off",  "y",    "n",     "nan", "inf"};
  if (text.empty() || text.size() > 200 || std::isalpha(static_cast<unsigned char>(text[0])) == 0) return false;
  const auto fits = [](char c) { return is_word_character(c) || c == '.' || c == '/'; };
  if (!std::all_of(text.begin(), text.end(), fits)) return false;
  return std::find(words.begin(), words.end(), in_small_letters(text)) == words.end();
}

std::string yaml_scalar(const Node& node) {
  if (node.kind == Node::Kind::null) return "null";
  if (node.quoted || node.text.empty()) return json_string(node.text);
  const auto harmless = [](char c) { return is_word_character(c) || c == '.' || c == '+' || c == '/'; };
  const bool plain = std::all_of(node.text.begin(), node.text.end(), harmless) && node.text[0] != '-';
  return plain || is_number(node.text) ? node.text : json_string(node.text);
}

std::string yaml_key(const std::string& key) { return is_plain_text(key) ? key : json_string(key); }

void append_yaml(std::string& out, const Node& node, std::size_t indent);

// What stands behind "key:" or "-": on the same line, or as a block below.
void append_value(std::string& out, const Node& node, std::size_t indent) {
  if (node.kind == Node::Kind::list || node.kind == Node::Kind::map) {
    if (node.children.empty()) {
      out += node.kind == Node::Kind::list ? " []\n" : " {}\n";
      return;
    }
    out += '\n';
    append_yaml(out, node, indent);
    return;
  }
  out += ' ' + yaml_scalar(node) + '\n';
}

void append_yaml(std::string& out, const Node& node, std::size_t indent) {
  for (const Node& child : node.children) {
    if (node.kind == Node::Kind::map) {
      out += std::string(indent, ' ') + yaml_key(child.key) + ':';
      append_value(out, child, indent + (child.kind == Node::Kind::list ? 0 : 2));
      continue;
    }
    out += std::string(indent, ' ') + '-';
    const bool block = (child.kind == Node::Kind::list || child.kind == Node::Kind::map) && !child.children.empty();
    if (!block) {
      append_value(out, child, indent + 2);
      continue;
    }
    // The first line of the block moves up behind the dash.
    std::string inner;
    append_yaml(inner, child, indent + 2);
    out += ' ' + inner.substr(indent + 2);
  }
}

void append_json(std::string& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      out += "null";
      return;
    case Node::Kind::scalar:
      if (!node.quoted && (node.text == "true" || node.text == "false" || is_number(node.text))) {
        out += node.text;
      } else {
        append_json_string(out, node.text);
      }
      return;
    case Node::Kind::list:
    case Node::Kind::map:
      break;
  }
  const bool is_map = node.kind == Node::Kind::map;
  out += is_map ? '{' : '[';
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    if (i > 0) out += ',';
    if (is_map) {
      append_json_string(out, node.children[i].key);
      out += ':';
    }
    append_json(out, node.children[i]);
  }
  out += is_map ? '}' : ']';
}

}  // namespace

std::string print_yaml(const Node& node) {
  if (node.kind == Node::Kind::null || node.kind == Node::Kind::scalar) return yaml_scalar(node) + "\n";
  if (node.children.empty()) return node.kind == Node::Kind::list ? "[]\n" : "{}\n";
  std::string out;
  append_yaml(out, node, 0);
  return out;
}

std::string print_json(const Node& node) {
  std::string out;
  append_json(out, node);
  return out;
}

}  // namespace trunkline::config
