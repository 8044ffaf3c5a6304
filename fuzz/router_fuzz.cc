// Whatever path a client sends: a route is found only with parameters that stay inside their folder, and finding it
// does not depend on the order in which the patterns were added. Input: patterns, one a line, then an empty line, then
// the path.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "server/path.h"
#include "server/route_table.h"

namespace {

using trunkline::server::RouteTable;

bool climbs(std::string_view value) {
  for (std::size_t start = 0; start <= value.size();) {
    const std::size_t slash = std::min(value.find('/', start), value.size());
    const std::string_view segment = value.substr(start, slash - start);
    if (segment == ".." || segment == ".") return true;
    start = slash + 1;
  }
  return value.find('\0') != std::string_view::npos || value.find('\\') != std::string_view::npos ||
         value.starts_with('/');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> patterns{"/static/{path...}", "/{one}/{two}"};
  while (!rest.empty() && !rest.starts_with('\n') && patterns.size() < 64) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    patterns.emplace_back(line);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  if (rest.starts_with('\n')) rest.remove_prefix(1);

  RouteTable forwards;
  RouteTable backwards;
  std::vector<int> added;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (forwards.add("GET", patterns[i], static_cast<int>(i))) added.push_back(static_cast<int>(i));
  }
  std::reverse(added.begin(), added.end());
  for (const int i : added) {
    if (!backwards.add("GET", patterns[static_cast<std::size_t>(i)], i)) std::abort();
  }

  const RouteTable::Match match = forwards.find("GET", rest);
  const RouteTable::Match other = backwards.find("GET", rest);
  if (match.kind != other.kind || match.route != other.route) std::abort();
  const auto segments = trunkline::server::path_segments(rest);
  if ((match.kind == RouteTable::Match::bad_path) == segments.has_value()) std::abort();
  for (const char* name : {"path", "one", "two"}) {
    if (climbs(match.parameters.get(name))) std::abort();
  }
  [[maybe_unused]] const auto pairs = trunkline::server::query_pairs(rest);
  return 0;
}
