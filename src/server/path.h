// The path of a request, taken apart safely: what was percent-encoded can never become another segment, leave its
// folder, or end a C string.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::server {

// "%41" to "A", each once. Nothing for a "%" that no two hex digits follow.
std::optional<std::string> percent_decoded(std::string_view text);

// The segments of "/a/b%20c/" are "a", "b c" and "", the last because of the slash at the end; of "/" it is "" alone.
// Refused (nothing is returned): a path that does not begin with "/", a bad percent-encoding, an empty segment other
// than the last, "." and "..", and a decoded segment with a slash, a backslash, a NUL or another control character.
// So a path has one reading only, and whoever joins the segments stays inside his folder.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

// "a=1&b=x%20y+z" as pairs in their order; "+" is a blank. What is badly encoded is left as it stands. At most `most`
// pairs; the rest is not looked at.
std::vector<std::pair<std::string, std::string>> query_pairs(std::string_view query, std::size_t most = 256);

}  // namespace trunkline::server
