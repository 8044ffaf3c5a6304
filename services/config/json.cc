// A strict reader of RFC 8259, in one pass. Recordings are millions of small lines, so it makes nothing but the nodes.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/characters.h"
#include "base/text.h"
#include "services/config/document.h"

namespace trunkline::config {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

class JsonReader {
 public:
  JsonReader(std::string_view text, std::string_view name, const Limits& limits, int first_line)
      : text_(text), name_(name), limits_(limits), line_(first_line) {}

  Result<Node> read() {
    Node root;
    if (!value(root, 0)) return error_at(name_, failed_at_, failure_);
    skip_blanks();
    if (at_ != text_.size()) return error_at(name_, here(), "there is more text behind the end of the value");
    return root;
  }

 private:
  Place here() const { return {line_, static_cast<int>(at_ - line_start_) + 1}; }

  bool fail(std::string sentence) {
    failed_at_ = here();
    failure_ = std::move(sentence);
    return false;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_blanks() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_start_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  bool value(Node& node, int depth) {
    skip_blanks();
    node.place = here();
    if (++nodes_ > limits_.nodes) return fail("there are more than " + std::to_string(limits_.nodes) + " values");
    if (at_ == text_.size()) return fail("the text ends where a value should be");
    const char c = text_[at_];
    if (c == '{' || c == '[') {
      if (depth >= limits_.depth) return fail("is nested deeper than " + std::to_string(limits_.depth) + " levels");
      node.kind = c == '{' ? Node::Kind::map : Node::Kind::list;
      return members(node, depth + 1);
    }
    if (c == '"') {
      node.kind = Node::Kind::scalar;
      node.quoted = true;
      return string(node.text);
    }
    return c == '-' || is_digit(c) ? number(node) : word(node);
  }

  bool word(Node& node) {
    for (const std::string_view known : {"true", "false", "null"}) {
      if (!text_.substr(at_).starts_with(known)) continue;
      at_ += known.size();
      if (known != "null") {
        node.kind = Node::Kind::scalar;
        node.text = known;
      }
      return true;
    }
    return fail("expected a JSON value here");
  }

  bool number(Node& node) {
    const std::size_t start = at_;
    const auto digits = [this] {
      const std::size_t from = at_;
      while (is_digit(peek())) ++at_;
      return at_ != from;
    };
    if (peek() == '-') ++at_;
    const bool zero = peek() == '0';
    const std::size_t first = at_;
    if (!digits() || (zero && at_ - first > 1)) return fail("this is not a JSON number");
    if (peek() == '.') {
      ++at_;
      if (!digits()) return fail("digits are missing behind the point");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return fail("digits are missing in the exponent");
    }
    node.kind = Node::Kind::scalar;
    node.text = text_.substr(start, at_ - start);
    return true;
  }

  std::optional<std::uint32_t> four_digits() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = hex_value(peek());
      if (digit < 0) return std::nullopt;
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return code;
  }

  bool escaped(std::string& out) {
    static constexpr std::string_view letters = "\"\\/bfnrt";
    static constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    const char c = peek();
    const std::size_t found = letters.find(c);
    if (found != std::string_view::npos && at_ < text_.size()) {
      ++at_;
      out += meant[found];
      return true;
    }
    if (c != 'u') return fail("this escape is not one of JSON's");
    ++at_;
    std::optional<std::uint32_t> code = four_digits();
    if (code && *code >= 0xD800 && *code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
      at_ += 2;
      const auto low = four_digits();
      if (!low || *low < 0xDC00 || *low > 0xDFFF) return fail("half of a surrogate pair is missing");
      code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
    }
    if (!code || (*code >= 0xD800 && *code < 0xE000)) return fail("\\u needs four hexadecimal digits of a character");
    append_utf8(out, *code);
    return true;
  }

  bool string(std::string& out) {
    ++at_;
    for (;;) {
      const std::size_t start = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' && text_[at_] >= ' ' && text_[at_] < 0x7F) {
        ++at_;
      }
      out.append(text_, start, at_ - start);
      if (at_ == text_.size()) return fail("the text ends within a string");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        ++at_;
        if (!escaped(out)) return false;
        continue;
      }
      const std::size_t length = utf8_length(text_.substr(at_));
      if (static_cast<unsigned char>(c) < ' ' || length == 0)
        return fail("a string holds a byte that is not UTF-8 text");
      out.append(text_, at_, length);
      at_ += length;
    }
  }

  bool members(Node& parent, int depth) {
    const bool is_map = parent.kind == Node::Kind::map;
    const char closing = is_map ? '}' : ']';
    ++at_;
    skip_blanks();
    if (peek() == closing) {
      ++at_;
      return true;
    }
    for (;;) {
      Node& child = parent.children.emplace_back();
      if (is_map && !key(child)) return false;
      if (!value(child, depth)) return false;
      skip_blanks();
      const char c = peek();
      if (c != ',' && c != closing) return fail(std::string("expected \",\" or \"") + closing + "\" here");
      ++at_;
      if (c == closing) return !is_map || no_key_twice(parent);
    }
  }

  bool key(Node& child) {
    skip_blanks();
    child.key_place = here();
    if (peek() != '"') return fail("expected a name in double quotes here");
    if (!string(child.key)) return false;
    skip_blanks();
    if (peek() != ':') return fail("expected \":\" behind the name");
    ++at_;
    return true;
  }

  bool no_key_twice(const Node& map) {
    const std::vector<Node>& all = map.children;
    const auto complain = [this](const Node& node) {
      failed_at_ = node.key_place;
      failure_ = "\"" + printable(node.key, 60) + "\" is given twice";
      return false;
    };
    if (all.size() <= 8) {
      for (std::size_t i = 1; i < all.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (all[i].key == all[j].key) return complain(all[i]);
        }
      }
      return true;
    }
    std::vector<const Node*> sorted;
    sorted.reserve(all.size());
    for (const Node& node : all) sorted.push_back(&node);
    std::sort(sorted.begin(), sorted.end(), [](const Node* a, const Node* b) { return a->key < b->key; });
    const auto twice =
        std::adjacent_find(sorted.begin(), sorted.end(), [](const Node* a, const Node* b) { return a->key == b->key; });
    return twice == sorted.end() || complain(**twice);
  }

  std::string_view text_;
  std::string_view name_;
  const Limits& limits_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  int line_ = 1;
  std::size_t nodes_ = 0;
  Place failed_at_ = {};
  std::string failure_;
};

}  // namespace

Result<Node> parse_json(std::string_view text, std::string_view name, const Limits& limits, int first_line) {
  if (text.size() > limits.bytes) {
    return error_at(name, {first_line, 1}, "is longer than " + print_size(limits.bytes) + ", the limit of one value");
  }
  return JsonReader(text, name, limits, first_line).read();
}

}  // namespace trunkline::config
