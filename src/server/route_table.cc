#include "server/route_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "base/text.h"
#include "server/path.h"

namespace trunkline::server {
namespace {

Error refused(std::string_view pattern, const std::string& why) {
  return {ErrorCode::invalid_options, Phase::prepare, "the route \"" + printable(pattern) + "\" " + why};
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

struct PatternSegment {
  enum Kind : unsigned char { literal, one, rest } kind = literal;
  std::string text;  // literal, or the name in the braces
};

// Split by hand: braces are no part of a path.
Result<std::vector<PatternSegment>> parse_pattern(std::string_view pattern) {
  if (!pattern.starts_with('/')) return refused(pattern, "does not begin with a slash");
  std::vector<PatternSegment> segments;
  std::set<std::string_view> names;
  for (std::string_view rest = pattern.substr(1);;) {
    const std::size_t slash = rest.find('/');
    std::string_view text = rest.substr(0, slash);
    const bool last = slash == std::string_view::npos;
    PatternSegment segment;
    if (text.find_first_of("{}") != std::string_view::npos) {
      if (!text.starts_with('{') || !text.ends_with('}')) return refused(pattern, "has braces inside a segment");
      text = text.substr(1, text.size() - 2);
      segment.kind = PatternSegment::one;
      if (text.ends_with("...")) {
        text.remove_suffix(3);
        segment.kind = PatternSegment::rest;
        if (!last) return refused(pattern, "goes on behind {...}");
      }
      if (!is_name(text)) return refused(pattern, "has a name that is not of letters, digits and _");
      if (!names.insert(text).second) return refused(pattern, "has the name " + std::string(text) + " twice");
      segment.text = text;
    } else {
      const auto decoded = path_segments("/" + std::string(text));
      if (!decoded || (text.empty() && !last)) return refused(pattern, "has a segment that no path can match");
      segment.text = decoded->front();
    }
    segments.push_back(std::move(segment));
    if (last) return segments;
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string_view PathParameters::get(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return {};
}

struct RouteTable::Node {
  struct End {
    int route = -1;
    std::vector<std::string> names;
  };
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literal;
  std::unique_ptr<Node> one;
  std::unique_ptr<Node> rest;                    // always an end
  std::map<std::string, End, std::less<>> ends;  // by method

  // The first node with routes, the most literal way. `values` is what braces stood for on it.
  const Node* find(std::span<const std::string> segments, std::vector<std::string>& values) const {
    if (segments.empty()) return ends.empty() ? nullptr : this;
    const std::string& first = segments.front();
    if (const auto found = literal.find(first); found != literal.end()) {
      if (const Node* node = found->second->find(segments.subspan(1), values)) return node;
    }
    if (one && !first.empty()) {
      values.push_back(first);
      if (const Node* node = one->find(segments.subspan(1), values)) return node;
      values.pop_back();
    }
    if (!rest || (segments.size() == 1 && first.empty())) return nullptr;
    std::string all;
    for (const std::string& segment : segments) all += (&segment == segments.data() ? "" : "/") + segment;
    values.push_back(std::move(all));
    return rest.get();
  }

  std::string allow() const {
    std::set<std::string, std::less<>> methods{"OPTIONS"};
    for (const auto& [method, end] : ends) {
      if (method != "*") methods.insert(method);
      if (method == "GET") methods.insert("HEAD");
    }
    std::string text;
    for (const std::string& method : methods) text += (text.empty() ? "" : ", ") + method;
    return text;
  }

  const End* end_for(std::string_view method) const {
    for (const std::string_view candidate :
         {method, std::string_view(method == "HEAD" ? "GET" : "*"), std::string_view("*")}) {
      if (const auto found = ends.find(candidate); found != ends.end()) return &found->second;
    }
    return nullptr;
  }
};

RouteTable::RouteTable() : root_(std::make_unique<Node>()) {}
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

Result<void> RouteTable::add(std::string_view method, std::string_view pattern, int route) {
  auto segments = parse_pattern(pattern);
  if (!segments) return segments.error();
  if (method.empty()) return refused(pattern, "has no method");
  Node* node = root_.get();
  std::vector<std::string> names;
  for (PatternSegment& segment : *segments) {
    std::unique_ptr<Node>& next = segment.kind == PatternSegment::literal ? node->literal[segment.text]
                                  : segment.kind == PatternSegment::one   ? node->one
                                                                          : node->rest;
    if (!next) next = std::make_unique<Node>();
    node = next.get();
    if (segment.kind != PatternSegment::literal) names.push_back(std::move(segment.text));
  }
  if (!node->ends.try_emplace(std::string(method), Node::End{route, std::move(names)}).second) {
    return refused(pattern, "matches the same paths as an earlier one, for " + printable(method));
  }
  return {};
}

RouteTable::Match RouteTable::find(std::string_view method, std::string_view path) const {
  Match match;
  const auto segments = path_segments(path);
  if (!segments) {
    match.kind = Match::bad_path;
    return match;
  }
  std::vector<std::string> values;
  const Node* node = root_->find(*segments, values);
  if (node == nullptr) {
    // The same path with, or without, the slash at its end.
    const bool slash = path.size() > 1 && path.ends_with('/');
    std::string other(path.substr(0, path.size() - (slash ? 1 : 0)));
    if (!slash) other += '/';
    const auto others = path.size() > 1 ? path_segments(other) : std::nullopt;
    if (others && root_->find(*others, values) != nullptr) {
      match.kind = Match::other_slash;
      match.moved_to = std::move(other);
    }
    return match;
  }
  const Node::End* end = node->end_for(method);
  if (end == nullptr) {
    match.kind = method == "OPTIONS" ? Match::options : Match::no_method;
    match.allow = node->allow();
    return match;
  }
  match.kind = Match::found;
  match.route = end->route;
  for (std::size_t i = 0; i < values.size(); ++i) match.parameters.add(end->names[i], std::move(values[i]));
  return match;
}

}  // namespace trunkline::server
