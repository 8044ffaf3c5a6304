// One line with a sample: name, labels, value, timestamp, exemplar. Views into the line; only what was escaped is
// copied, into a buffer that is kept from line to line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "metrics/exposition.h"

namespace trunkline::metrics {

class SampleLine {
 public:
  enum class Outcome : unsigned char { good, faulty, over_limit };

  SampleLine(Format format, const ExpositionLimits& limits) : format_(format), limits_(limits) {}

  // Without its line feed. What it finds holds until the next call, and as long as the line does.
  Outcome parse(std::string_view line);

  std::string_view name() const { return name_; }
  const std::vector<Label>& labels() const { return labels_; }
  double value() const { return value_; }
  std::optional<double> timestamp() const { return timestamp_; }
  const Exemplar* exemplar() const { return has_exemplar_ ? &exemplar_ : nullptr; }

  // Of a line that is not good: where, from 1, and what. Over a limit: which.
  std::size_t column() const { return column_; }
  const std::string& what() const { return what_; }

 private:
  bool parse_all();
  bool parse_name();
  bool parse_labels(std::vector<Label>& labels, bool may_name_metric);
  bool parse_label(std::vector<Label>& labels, bool may_name_metric);
  bool parse_quoted(std::string_view& out);
  bool unescape(const char* from, const char* to, std::string_view& out);
  bool add_label(std::vector<Label>& labels, const char* at, Label label);
  bool parse_value(double& value);
  bool parse_timestamp(std::optional<double>& timestamp);
  bool parse_exemplar();

  bool is_text() const { return format_ == Format::text; }
  bool at_end() const { return p_ == end_; }
  bool is_at(char c) const { return p_ != end_ && *p_ == c; }
  void skip_blanks();
  bool expect_gap(const char* before);
  std::string_view token();
  std::string found() const;
  bool fault(const char* at, std::string what);
  bool over(const char* what, std::size_t limit_bytes);

  const Format format_;
  const ExpositionLimits limits_;
  const char* begin_ = nullptr;
  const char* p_ = nullptr;
  const char* end_ = nullptr;

  std::string_view name_;
  std::vector<Label> labels_;
  std::vector<Label> exemplar_labels_;
  double value_ = 0;
  std::optional<double> timestamp_;
  Exemplar exemplar_;
  bool has_exemplar_ = false;
  std::string unescaped_;  // has room for the whole line, so that views into it hold

  bool over_limit_ = false;
  std::size_t column_ = 0;
  std::string what_;
};

// Letters, digits, underscores and, in names of metrics, colons; no digit first.
bool is_plain_name(std::string_view name, bool colons);

// The end of such a name at p, which may be p itself.
const char* skip_plain_name(const char* p, const char* end, bool colons);

}  // namespace trunkline::metrics
