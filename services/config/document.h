// A document as people write it, YAML or JSON, as a tree in which everything knows its line and column. Scalars stay
// text: what they mean is for whoever reads the field. Size, depth and number of nodes are bounded, aliases included.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

namespace trunkline::config {

// Both count from 1; 0 means that it was not read from a text.
struct Place {
  int line = 0;
  int column = 0;
  bool operator==(const Place&) const = default;
};

struct Node {
  enum class Kind : unsigned char { null, scalar, list, map };

  Kind kind = Kind::null;
  bool quoted = false;  // a scalar that is text whatever it looks like
  bool secret = false;  // a scalar that came from elsewhere: no message shows it
  std::string text = {};
  Place place = {};
  std::string key = {};  // as a member of a map
  Place key_place = {};
  std::vector<Node> children = {};  // of a list or map, in the order written

  const Node* find(std::string_view name) const;  // of a map; null when it is not there
};

// The same content; places do not count.
bool same(const Node& a, const Node& b);

struct Limits {
  std::size_t bytes = 1 << 20;  // of the document, and of the text that its aliases stand for
  int depth = 64;
  std::size_t nodes = 200'000;  // aliases count as what they stand for
};

// Every document of a file; YAML's empty ones are left out. `name` is the file's, for messages: "policy.yaml:3:7: ...".
Result<std::vector<Node>> parse_documents(std::string_view text, std::string_view name, const Limits& limits = {});

// One JSON text, strictly RFC 8259. `first_line` is its line in the file, where a line is a document.
Result<Node> parse_json(std::string_view text, std::string_view name, const Limits& limits = {}, int first_line = 1);

// "NAME:LINE:COLUMN: SENTENCE", the form that editors jump to.
Error error_at(std::string_view name, Place place, std::string_view sentence);

// What is there, for "expected ..., got ...": "a list", "the text \"abc\"", "nothing". A secret stays one.
std::string describe(const Node& node);

}  // namespace trunkline::config
