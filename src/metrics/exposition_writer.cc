#include "metrics/exposition_writer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "metrics/exposition_parser.h"
#include "metrics/number.h"

namespace trunkline::metrics {
namespace {

// Both formats are UTF-8; what is not becomes U+FFFD.
void append_escaped(std::string& out, std::string_view text, bool escape_quotes) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '\\' || (c == '"' && escape_quotes)) {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

// OpenMetrics compares these texts, so that 1 must always be 1.0.
std::string bound_text(double bound, Format format) {
  std::string text;
  append_number(text, bound);
  const bool is_whole = text.find_first_not_of("-0123456789") == std::string::npos;
  return format == Format::openmetrics && is_whole ? text + ".0" : text;
}

std::string_view without(std::string_view name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

}  // namespace

void ExpositionWriter::family(std::string_view name, Type type, std::string_view help) {
  const auto [known, is_new] = by_name_.try_emplace(std::string(name), sections_.size());
  current_ = known->second;
  if (!is_new) return;

  const bool is_text = format_ == Format::text;
  std::string sample_name(name);
  if (type == Type::info) sample_name += "_info";
  std::string_view family = is_text ? std::string_view(sample_name) : name;
  if (!is_text && type == Type::counter) family = without(name, "_total");
  if (is_text && type > Type::summary) type = Type::gauge;  // the text format knows no others
  // Relayed from a program that names its counters in its own way: OpenMetrics has no counter like that.
  if (!is_text && type == Type::counter && family == name) type = Type::untyped;

  std::string text = "# HELP ";
  text.append(family).append(" ");
  append_escaped(text, help, !is_text);
  text.append("\n# TYPE ").append(family).append(" ").append(to_string(type, format_)).append("\n");
  for (const std::string_view unit : {"seconds", "bytes"}) {
    if (!is_text && family.ends_with("_" + std::string(unit))) {
      text.append("# UNIT ").append(family).append(" ").append(unit).append("\n");
    }
  }
  sections_.push_back({std::move(sample_name), std::move(text)});
}

void ExpositionWriter::sample(std::span<const Label> labels, std::uint64_t value) {
  add_head("", labels);
  sections_[current_].text.append(std::to_string(value)).append("\n");
}

void ExpositionWriter::histogram(std::span<const Label> labels, std::span<const double> bounds,
                                 std::span<const std::uint64_t> counts, double sum) {
  std::vector<Label> with_bound(labels.begin(), labels.end());
  with_bound.push_back({"le", ""});
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    const std::string bound = i < bounds.size() ? bound_text(bounds[i], format_) : "+Inf";
    with_bound.back().value = bound;
    add_head("_bucket", with_bound);
    sections_[current_].text.append(std::to_string(cumulative)).append("\n");
  }
  add("_sum", labels, sum);
  add_head("_count", labels);
  sections_[current_].text.append(std::to_string(cumulative)).append("\n");
}

void ExpositionWriter::relay(std::string_view suffix, std::span<const Label> labels, double value,
                             std::optional<double> timestamp) {
  add(suffix, labels, value);
  if (!timestamp) return;
  std::string& text = sections_[current_].text;
  text.back() = ' ';
  if (format_ == Format::openmetrics) {
    append_number(text, *timestamp);
  } else {
    text += std::to_string(std::llround(std::clamp(*timestamp, -1e15, 1e15) * 1000));
  }
  text += '\n';
}

void ExpositionWriter::add(std::string_view suffix, std::span<const Label> labels, double value) {
  add_head(suffix, labels);
  std::string& text = sections_[current_].text;
  append_number(text, value);
  text += '\n';
}

void ExpositionWriter::add_head(std::string_view suffix, std::span<const Label> labels) {
  Section& section = sections_[current_];
  section.text.append(section.sample_name).append(suffix);
  char before = '{';
  for (const Label& label : labels) {
    section.text += before;
    section.text.append(label.name).append("=\"");
    append_escaped(section.text, label.value, true);
    section.text += '"';
    before = ',';
  }
  if (!labels.empty()) section.text += '}';
  section.text += ' ';
}

std::string ExpositionWriter::take() {
  std::size_t size = 8;
  for (const Section& section : sections_) size += section.text.size();
  std::string out;
  out.reserve(size);
  for (const Section& section : sections_) out += section.text;
  if (format_ == Format::openmetrics) out += "# EOF\n";
  sections_.clear();
  by_name_.clear();
  return out;
}

namespace {

class Relay final : public Visitor {
 public:
  Relay(ExpositionWriter& writer, std::span<const Label> more) : writer_(writer), labels_(more.begin(), more.end()) {}

  void on_family(const Family& family) override { known_.insert_or_assign(std::string(family.name), Known(family)); }
  void on_sample(const Sample& sample) override {
    const Known& known = known_.find(std::string(sample.family))->second;
    writer_.family(sample.family, known.type, known.help);
    const std::size_t count = labels_.size();
    labels_.insert(labels_.end(), sample.labels.begin(), sample.labels.end());
    writer_.relay(sample.suffix(), labels_, sample.value, sample.timestamp);
    labels_.resize(count);
  }

 private:
  struct Known {
    explicit Known(const Family& family) : type(family.type), help(family.help) {}
    Type type;
    std::string help;
  };

  ExpositionWriter& writer_;
  std::vector<Label> labels_;
  std::unordered_map<std::string, Known> known_;  // samples may come apart from their family
};

}  // namespace

bool relay_page(ExpositionWriter& writer, std::string_view page, std::span<const Label> more) {
  Relay relay(writer, more);
  const Result<ExpositionCounts> counts = parse_exposition(page, Format::text, relay);
  return counts && counts->problems == 0;
}

}  // namespace trunkline::metrics
