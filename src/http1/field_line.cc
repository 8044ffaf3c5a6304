#include "http1/field_line.h"

#include <algorithm>
#include <array>

#include <trunkline/headers.hpp>

namespace trunkline::http1 {

std::string_view field_line_problem(const char* line, const char* end) {
  const char* const p = skip_token(line, end);
  const bool at_space = *p == ' ' || *p == '\t';  // there is an LF before the end, which is no token
  if (p == line && at_space) return "a field line is folded (obs-fold)";
  if (at_space) return "a space stands between a field name and its colon";
  if (p == line || *p != ':') return "a field line does not begin with a name and a colon";
  return "a field line holds a control character or does not end in CR LF";
}

bool is_forbidden_trailer(std::string_view name) {
  constexpr std::array<std::string_view, 18> forbidden{"authorization",
                                                       "connection",
                                                       "content-encoding",
                                                       "content-length",
                                                       "content-range",
                                                       "content-type",
                                                       "cookie",
                                                       "host",
                                                       "keep-alive",
                                                       "location",
                                                       "proxy-authenticate",
                                                       "set-cookie",
                                                       "te",
                                                       "proxy-authorization",
                                                       "trailer",
                                                       "proxy-connection",
                                                       "transfer-encoding",
                                                       "upgrade"};
  return std::any_of(forbidden.begin(), forbidden.end(),
                     [name](std::string_view other) { return equals_ignore_case(name, other); });
}

}  // namespace trunkline::http1
