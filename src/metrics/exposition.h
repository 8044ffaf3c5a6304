// What an exposition says: families, samples, problems. The words of the Prometheus text format 0.0.4 and of
// OpenMetrics 1.0, shared by the parser, the checks and the writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace trunkline::metrics {

enum class Format : unsigned char { text, openmetrics };

enum class Type : unsigned char { untyped, counter, gauge, histogram, summary, gaugehistogram, info, stateset };

// As the format spells it: what text calls `untyped` is `unknown` in OpenMetrics.
std::string_view to_string(Type type, Format format);
std::optional<Type> type_of(std::string_view word, Format format);

// The format that a Content-Type stands for; none for types that are neither (HTML of a login page, protobuf).
std::optional<Format> format_of(std::string_view content_type);

// What is behind the family's name in a sample's name ("_bucket", "_total", "") may stand there for this type.
bool may_end_in(Type type, Format format, std::string_view suffix);

struct Label {
  std::string_view name;
  std::string_view value;
};

struct Exemplar {
  std::span<const Label> labels;
  double value = 0;
  std::optional<double> timestamp;  // seconds
};

struct Family {
  std::string_view name;
  Type type = Type::untyped;
  std::string_view help;  // unescaped
  std::string_view unit;
};

struct Sample {
  std::string_view name;          // in full, with _bucket, _total, ...
  std::string_view family;        // the start of the name
  Type type = Type::untyped;      // the family's
  std::span<const Label> labels;  // in the order of the body, unescaped
  double value = 0;
  std::optional<double> timestamp;  // seconds since 1970, in either format
  const Exemplar* exemplar = nullptr;
  std::uint64_t line = 0;

  std::string_view suffix() const { return name.substr(family.size()); }
};

// Why a body is not valid, and where: both count from 1, columns in bytes.
struct Problem {
  std::uint64_t line = 0;
  std::size_t column = 0;
  std::string_view what;
};

// Who is told what a body says. All views hold during the call only.
class Visitor {
 public:
  Visitor() = default;
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;
  virtual ~Visitor() = default;

  // Before the first of its samples, or when the body goes on to another family. Families that have no metadata too.
  virtual void on_family(const Family& /*family*/) {}
  virtual void on_sample(const Sample& sample) = 0;
  // The line is skipped and parsing goes on; whoever must not be fooled drops the whole body.
  virtual void on_problem(const Problem& /*problem*/) {}
};

// What a body may have. Reaching beyond one is an error for the whole body, not a problem of a line.
struct ExpositionLimits {
  std::uint64_t body_bytes = 64 * 1024 * 1024;
  std::uint64_t samples = 1'000'000;  // unwanted ones count too
  std::size_t families = 100'000;     // wanted ones: each takes memory of its own
  std::size_t labels = 128;           // of a sample
  std::size_t name_bytes = 1024;      // of a metric or of a label
  std::size_t value_bytes = 16 * 1024;
  std::size_t line_bytes = 128 * 1024;
  std::uint64_t problems_told = 100;  // of more, only the number is known
};

}  // namespace trunkline::metrics
