// One line that begins with "#": HELP, TYPE, UNIT, the end mark of OpenMetrics, or a comment.
#pragma once

#include <string>
#include <string_view>

#include "metrics/exposition.h"

namespace trunkline::metrics {

struct MetadataLine {
  enum class Kind : unsigned char { comment, help, type, unit, eof, faulty };

  Kind kind = Kind::comment;
  std::string name;
  std::string text;  // of HELP, unescaped, or the unit
  Type type = Type::untyped;

  std::size_t column = 0;  // of a faulty one, or of the name
  std::string what;
};

// Without its line feed. Families are few next to samples, so this may allocate.
MetadataLine parse_metadata_line(std::string_view line, Format format, const ExpositionLimits& limits);

}  // namespace trunkline::metrics
