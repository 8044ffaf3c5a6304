#include "services/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/node/node.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "base/text.h"

namespace trunkline::config {
namespace {

struct Wrong {
  Place place;
  std::string sentence;
};

Place place_of(const YAML::Mark& mark) { return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1}; }

std::size_t count(const Node& node) {
  std::size_t sum = 1;
  for (const Node& child : node.children) sum += count(child);
  return sum;
}

std::size_t count_bytes(const Node& node) {
  std::size_t sum = node.text.size();
  for (const Node& child : node.children) sum += child.key.size() + count_bytes(child);
  return sum;
}

// Puts nodes together. Aliases are copied, and a copy counts against the limits like what was written out, its text as
// well as its nodes, so that a few lines cannot stand for billions.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(const Limits& limits) : limits_(limits) {}

  std::vector<Node> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override { anchors_.clear(); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) throw Wrong{place_of(mark), "a key is missing here"};
    put({.kind = Node::Kind::null, .place = place_of(mark)}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Wrong{place_of(mark), "this alias stands for something that contains it"};
    if (wants_key()) throw Wrong{place_of(mark), "a key must be plain text, not an alias"};
    add_nodes(count(found->second) - 1, place_of(mark));
    add_copied(count_bytes(found->second), place_of(mark));
    deepest_allowed(depth_of(found->second), place_of(mark));
    put(found->second, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool text = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!text && tag != "?" && !tag.empty()) refuse_tag(mark, tag);
    if (wants_key()) {
      open_.back().key = value;
      open_.back().key_place = place_of(mark);
      open_.back().has_key = true;
      return;
    }
    put({.kind = Node::Kind::scalar, .quoted = text, .text = value, .place = place_of(mark)}, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    begin(Node::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    begin(Node::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    std::string key = {};
    Place key_place = {};
    bool has_key = false;
    std::set<std::string, std::less<>> keys = {};
  };

  bool wants_key() const {
    return !open_.empty() && open_.back().node.kind == Node::Kind::map && !open_.back().has_key;
  }

  static int depth_of(const Node& node) {
    int deepest = 0;
    for (const Node& child : node.children) deepest = std::max(deepest, depth_of(child));
    return deepest + 1;
  }

  void deepest_allowed(int more, Place place) const {
    if (static_cast<int>(open_.size()) + more <= limits_.depth) return;
    throw Wrong{place, "is nested deeper than " + std::to_string(limits_.depth) + " levels"};
  }

  void add_nodes(std::size_t more, Place place) {
    nodes_ += more;
    if (nodes_ <= limits_.nodes) return;
    throw Wrong{place, "the document has more than " + std::to_string(limits_.nodes) +
                           " values, aliases counted as what they stand for"};
  }

  // What was written out is within this limit already.
  void add_copied(std::size_t bytes, Place place) {
    copied_bytes_ += bytes;
    if (copied_bytes_ <= limits_.bytes) return;
    throw Wrong{place, "the document's aliases stand for more than " + print_size(limits_.bytes) + " of text"};
  }

  [[noreturn]] static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    throw Wrong{place_of(mark), "the tag " + printable(tag, 60) + " is not known here; leave it out"};
  }

  void begin(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (wants_key()) throw Wrong{place_of(mark), "a key must be plain text, not a list or a mapping"};
    if (tag.size() > 1 && tag != "tag:yaml.org,2002:seq" && tag != "tag:yaml.org,2002:map") refuse_tag(mark, tag);
    deepest_allowed(1, place_of(mark));
    open_.push_back({.node = {.kind = kind, .place = place_of(mark)}, .anchor = anchor});
  }

  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    put(std::move(done.node), done.anchor);
  }

  void put(Node node, YAML::anchor_t anchor) {
    add_nodes(1, node.place);
    if (anchor != 0) {
      add_nodes(count(node), node.place);
      add_copied(count_bytes(node), node.place);
      anchors_[anchor] = node;
    }
    if (open_.empty()) {
      if (node.kind != Node::Kind::null) documents_.push_back(std::move(node));
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::map) {
      if (!parent.keys.insert(parent.key).second) {
        throw Wrong{parent.key_place, "\"" + printable(parent.key, 60) + "\" is given twice"};
      }
      node.key = std::move(parent.key);
      node.key_place = parent.key_place;
      parent.has_key = false;
    } else {
      node.key.clear();
    }
    parent.node.children.push_back(std::move(node));
  }

  const Limits& limits_;
  std::vector<Node> documents_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
  std::size_t copied_bytes_ = 0;
};

// Counted from 0. The library's own word for it is "illegal map value".
bool is_indented_by_tab(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const std::string_view indentation = text.substr(0, text.find_first_not_of(" \t"));
  return indentation.find('\t') != std::string_view::npos;
}

}  // namespace

Result<std::vector<Node>> parse_yaml(std::string_view text, std::string_view name, const Limits& limits) {
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    Builder builder(limits);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.take();
  } catch (const Wrong& wrong) {
    return error_at(name, wrong.place, wrong.sentence);
  } catch (const YAML::Exception& error) {
    const bool tab = error.msg == YAML::ErrorMsg::MAP_VALUE && is_indented_by_tab(text, error.mark.line);
    return error_at(name, place_of(error.mark),
                    "is not YAML: " + (tab ? "a tab stands in the indentation: YAML wants spaces" : error.msg));
  }
}

}  // namespace trunkline::config
