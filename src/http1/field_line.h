// A line of a head or of trailers, for both sides' decoders.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/characters.h"

namespace trunkline::http1 {

struct FieldLine {
  const char* value;
  std::uint32_t name_length;  // the name is at the start of the line
  std::uint32_t value_length;
};

// "Name: value" CR LF; returns the start of the next line, or null. Lengths fit: the block is no larger than its limit.
inline const char* scan_field_line(const char* line, const char* end, FieldLine& field) {
  const char* p = skip_token(line, end);
  if (p == end || *p != ':' || p == line) return nullptr;
  field.name_length = static_cast<std::uint32_t>(p - line);
  ++p;
  if (p != end && *p == ' ') ++p;
  while (p != end && (*p == ' ' || *p == '\t')) ++p;
  const char* const cr = find_control(p, end);
  if (end - cr < 2 || cr[0] != '\r' || cr[1] != '\n') return nullptr;
  const char* value_end = cr;
  while (value_end != p && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
  field.value = p;
  field.value_length = static_cast<std::uint32_t>(value_end - p);
  return cr + 2;
}

// What is wrong with a line that was refused although its LF is there, in front of `end`.
std::string_view field_line_problem(const char* line, const char* end);

// Fields that frame, route or authorise a message or say how to read it have no meaning after it (RFC 9110 section
// 6.5.1). A peer that sends one there hopes that somebody merges it into the head.
bool is_forbidden_trailer(std::string_view name);

}  // namespace trunkline::http1
