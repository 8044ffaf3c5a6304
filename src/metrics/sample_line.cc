#include "metrics/sample_line.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/characters.h"
#include "base/text.h"
#include "metrics/number.h"

namespace trunkline::metrics {
namespace {

// 1: may begin a name, 2: may go on, 4: the colon
constexpr std::array<unsigned char, 256> make_name_table() {
  std::array<unsigned char, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = 3;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = 3;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = 2;
  table['_'] = 3;
  table[':'] = 4;
  return table;
}
constexpr std::array<unsigned char, 256> name_table = make_name_table();

// The first quote or backslash, or end. `beyond_ascii` is set when a byte before it is.
const char* find_quote(const char* p, const char* end, bool& beyond_ascii) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i stops =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    const auto stop_mask = static_cast<unsigned>(_mm_movemask_epi8(stops));
    const auto high_mask = static_cast<unsigned>(_mm_movemask_epi8(bytes));
    if (stop_mask != 0) {
      beyond_ascii |= (high_mask & (stop_mask - 1) & ~stop_mask) != 0;
      return p + std::countr_zero(stop_mask);
    }
    beyond_ascii |= high_mask != 0;
    p += 16;
  }
#endif
  for (; p != end && *p != '"' && *p != '\\'; ++p) beyond_ascii |= (static_cast<unsigned char>(*p) & 0x80) != 0;
  return p;
}

// OpenMetrics: names and values of an exemplar's labels together.
constexpr std::size_t exemplar_characters = 128;

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

const char* skip_plain_name(const char* p, const char* end, bool colons) {
  const unsigned char also = colons ? 4 : 0;
  if (p == end || (name_table[static_cast<unsigned char>(*p)] & (1 | also)) == 0) return p;
  do ++p;
  while (p != end && (name_table[static_cast<unsigned char>(*p)] & (2 | also)) != 0);
  return p;
}

bool is_plain_name(std::string_view name, bool colons) {
  const char* const end = name.data() + name.size();
  return !name.empty() && skip_plain_name(name.data(), end, colons) == end;
}

SampleLine::Outcome SampleLine::parse(std::string_view line) {
  begin_ = p_ = line.data();
  end_ = begin_ + line.size();
  labels_.clear();
  exemplar_labels_.clear();
  unescaped_.clear();
  timestamp_.reset();
  has_exemplar_ = over_limit_ = false;
  if (parse_all()) return Outcome::good;
  return over_limit_ ? Outcome::over_limit : Outcome::faulty;
}

bool SampleLine::parse_all() {
  skip_blanks();
  if (!parse_name()) return false;
  const char* const behind_name = p_;
  skip_blanks();
  bool needs_gap = p_ == behind_name;
  if (is_at('{')) {
    if (!parse_labels(labels_, name_.empty())) return false;
    needs_gap = !is_text();
    skip_blanks();
  }
  if (name_.empty()) return fault(begin_, "a sample without a name");
  if (needs_gap && !expect_gap("the value")) return false;
  if (!parse_value(value_)) return false;
  if (!parse_timestamp(timestamp_)) return false;
  if (at_end()) return true;
  if (!is_text() && is_at(' ')) return parse_exemplar();
  return fault(
      p_, (is_at('#') ? "only OpenMetrics has exemplars: found " : "expected the end of the line, found ") + found());
}

bool SampleLine::parse_name() {
  const char* const end = skip_plain_name(p_, end_, true);
  name_ = std::string_view(p_, static_cast<std::size_t>(end - p_));
  if (name_.size() > limits_.name_bytes) return over("a name", limits_.name_bytes);
  if (name_.empty() && !is_at('{')) return fault(p_, "expected the name of a metric, found " + found());
  p_ = end;
  return true;
}

bool SampleLine::parse_labels(std::vector<Label>& labels, bool may_name_metric) {
  ++p_;
  skip_blanks();
  if (is_at('}')) {
    ++p_;
    return true;
  }
  for (;;) {
    if (!parse_label(labels, may_name_metric)) return false;
    skip_blanks();
    if (is_at('}')) break;
    if (!is_at(',')) return fault(p_, "expected , or } behind a label, found " + found());
    ++p_;
    skip_blanks();
    if (is_text() && is_at('}')) break;
  }
  ++p_;
  return true;
}

bool SampleLine::parse_label(std::vector<Label>& labels, bool may_name_metric) {
  const char* const at = p_;
  Label label;
  if (is_at('"')) {
    if (!parse_quoted(label.name)) return false;
    if (label.name.size() > limits_.name_bytes) return over("a name", limits_.name_bytes);
    if (label.name.empty()) return fault(at, "a name is empty");
    skip_blanks();
    if (may_name_metric && !is_at('=')) {
      if (!name_.empty()) return fault(at, "the metric has two names");
      name_ = label.name;
      return true;
    }
  } else {
    p_ = skip_plain_name(p_, end_, false);
    label.name = std::string_view(at, static_cast<std::size_t>(p_ - at));
    if (label.name.size() > limits_.name_bytes) return over("a name", limits_.name_bytes);
    if (label.name.empty()) return fault(at, "expected the name of a label, found " + found());
    skip_blanks();
  }
  if (!is_at('=')) return fault(p_, "expected = behind the label's name, found " + found());
  ++p_;
  skip_blanks();
  if (!is_at('"')) return fault(p_, "expected a label's value in quotes, found " + found());
  if (!parse_quoted(label.value)) return false;
  if (label.value.size() > limits_.value_bytes) return over("a label's value", limits_.value_bytes);
  return add_label(labels, at, label);
}

bool SampleLine::add_label(std::vector<Label>& labels, const char* at, Label label) {
  if (label.name == "__name__") return fault(at, "the label name __name__ is reserved for the metric's own name");
  if (labels.size() == limits_.labels) {
    over_limit_ = true;
    return fault(at, "a sample has more than " + std::to_string(limits_.labels) + " labels");
  }
  for (const Label& other : labels) {
    if (other.name == label.name) return fault(at, "the label " + printable(label.name, 64) + " is there twice");
  }
  labels.push_back(label);
  return true;
}

// At the opening quote; afterwards behind the closing one.
bool SampleLine::parse_quoted(std::string_view& out) {
  const char* const from = ++p_;
  bool beyond_ascii = false;
  bool escaped = false;
  for (;;) {
    p_ = find_quote(p_, end_, beyond_ascii);
    if (at_end()) return fault(from - 1, "a quote is not closed on its line");
    if (*p_ == '"') break;
    escaped = true;
    if (end_ - p_ < 2) return fault(from - 1, "a quote is not closed on its line");
    p_ += 1;
    beyond_ascii |= (static_cast<unsigned char>(*p_) & 0x80) != 0;
    ++p_;
  }
  const char* const to = p_++;
  out = std::string_view(from, static_cast<std::size_t>(to - from));
  if (beyond_ascii && !is_utf8(out)) return fault(from, "this text is not UTF-8");
  return !escaped || unescape(from, to, out);
}

bool SampleLine::unescape(const char* from, const char* to, std::string_view& out) {
  if (unescaped_.empty()) unescaped_.reserve(static_cast<std::size_t>(end_ - begin_));
  const std::size_t start = unescaped_.size();
  for (const char* p = from; p != to; ++p) {
    if (*p != '\\') {
      unescaped_ += *p;
      continue;
    }
    ++p;
    if (*p == 'n') {
      unescaped_ += '\n';
    } else if (*p == '\\' || *p == '"') {
      unescaped_ += *p;
    } else if (is_text()) {
      return fault(p - 1, "only \\\\, \\\" and \\n are escapes: write \\\\ for a backslash");
    } else {
      unescaped_ += '\\';  // OpenMetrics: any other backslash stands for itself
      unescaped_ += *p;
    }
  }
  out = std::string_view(unescaped_).substr(start);
  return true;
}

bool SampleLine::parse_value(double& value) {
  const char* const at = p_;
  const std::string_view word = token();
  if (word.empty())
    return fault(at, at_end() ? "the line ends before the value" : "expected a value, found " + found());
  const std::optional<double> number = parse_number(word, is_text());
  if (!number) return fault(at, "expected a number as the value, found " + printable(word, 64));
  value = *number;
  return true;
}

bool SampleLine::parse_timestamp(std::optional<double>& timestamp) {
  if (is_text()) {
    // Blanks at the end are refused by Go's expfmt and taken by Prometheus; exporters with them exist.
    skip_blanks();
    if (at_end() || is_at('#')) return true;
    const char* const at = p_;
    std::string_view word = token();
    const std::string_view whole = word;
    if (word.starts_with('+')) word.remove_prefix(1);
    std::int64_t milliseconds = 0;
    const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), milliseconds);
    if (failure != std::errc() || stop != word.data() + word.size() || (whole != word && whole[1] == '-')) {
      return fault(at, "expected a timestamp in whole milliseconds, found " + printable(whole, 64));
    }
    timestamp = static_cast<double>(milliseconds) / 1000;
    skip_blanks();
    return true;
  }
  if (!is_at(' ') || (end_ - p_ > 1 && p_[1] == '#')) return true;
  const char* const at = ++p_;
  const std::string_view word = token();
  timestamp = parse_number(word, false);
  if (!timestamp || !std::isfinite(*timestamp)) {
    return fault(at, "expected a timestamp in seconds behind a single blank, found " + printable(word, 64));
  }
  return true;
}

// At the blank before " # {labels} value [timestamp]".
bool SampleLine::parse_exemplar() {
  const char* const at = p_ + 1;
  if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(" # {")) {
    return fault(at, "expected the end of the line or an exemplar like # {trace_id=\"1\"} 0.5, found " +
                         printable(std::string_view(at, static_cast<std::size_t>(end_ - at)), 64));
  }
  p_ += 3;
  if (!parse_labels(exemplar_labels_, false) || !expect_gap("the exemplar's value")) return false;
  exemplar_.timestamp.reset();
  if (!parse_value(exemplar_.value) || !parse_timestamp(exemplar_.timestamp)) return false;
  if (!at_end()) return fault(p_, "expected the end of the line, found " + found());
  std::size_t length = 0;
  for (const Label& label : exemplar_labels_) length += characters(label.name) + characters(label.value);
  if (length > exemplar_characters) return fault(at, "an exemplar's labels have more than 128 characters");
  exemplar_.labels = exemplar_labels_;
  has_exemplar_ = true;
  return true;
}

// Only the text format has blanks where none is needed.
void SampleLine::skip_blanks() {
  if (!is_text()) return;
  while (p_ != end_ && is_blank(*p_)) ++p_;
}

bool SampleLine::expect_gap(const char* before) {
  if (!is_at(' ')) return fault(p_, std::string("expected a blank before ") + before + ", found " + found());
  ++p_;
  return true;
}

std::string_view SampleLine::token() {
  const char* const from = p_;
  while (p_ != end_ && !is_blank(*p_)) ++p_;
  return {from, static_cast<std::size_t>(p_ - from)};
}

std::string SampleLine::found() const {
  if (at_end()) return "the end of the line";
  return printable(std::string_view(p_, static_cast<std::size_t>(end_ - p_)), 16);
}

bool SampleLine::fault(const char* at, std::string what) {
  column_ = static_cast<std::size_t>(at - begin_) + 1;
  what_ = std::move(what);
  return false;
}

bool SampleLine::over(const char* what, std::size_t limit_bytes) {
  over_limit_ = true;
  return fault(p_, std::string(what) + " has more than " + std::to_string(limit_bytes) + " bytes");
}

}  // namespace trunkline::metrics
