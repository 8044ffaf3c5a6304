// Which route a request takes, by method and path. Pure: patterns in, the number of a route out.
//
//   "/api/v1/things"         that path and no other; "/api/v1/things/" is another one
//   "/api/v1/things/{id}"    any one segment, not empty
//   "/static/{path...}"      all that follows, at least one character; slashes stay
//
// The more literal pattern wins, segment by segment from the left: a literal before {id}, {id} before {path...}. So the
// order of add() plays no part, and two patterns that match the very same paths are refused.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trunkline/result.hpp>

namespace trunkline::server {

// What the braces of a pattern stood for, decoded, by name.
class PathParameters {
 public:
  // Empty when the pattern has no such name.
  std::string_view get(std::string_view name) const;
  void add(std::string name, std::string value) { pairs_.emplace_back(std::move(name), std::move(value)); }
  std::size_t size() const { return pairs_.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

class RouteTable {
 public:
  struct Match {
    enum Kind : unsigned char {
      found,
      bad_path,     // answer 400: the path has no safe reading
      no_path,      // 404
      no_method,    // 405, with `allow`
      other_slash,  // nothing here, but there would be with, or without, a slash at the end: `moved_to`
      options,      // OPTIONS that nobody handles: 204 with `allow`
    } kind = no_path;
    int route = -1;
    PathParameters parameters;
    std::string allow;
    std::string moved_to;  // the path, encoded as it came
  };

  RouteTable();
  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  // `method` "*": every one that has no route of its own there. `route` is what find() gives back.
  Result<void> add(std::string_view method, std::string_view pattern, int route);

  // HEAD goes where GET goes unless it has a route of its own.
  Match find(std::string_view method, std::string_view path) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace trunkline::server
