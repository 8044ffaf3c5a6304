#include "metrics/exposition_rules.h"

#include <cmath>
#include <limits>
#include <string>
#include <unordered_set>

#include "base/text.h"
#include "metrics/number.h"

namespace trunkline::metrics {
namespace {

const Label* find_label(const Sample& sample, std::string_view name) {
  for (const Label& label : sample.labels) {
    if (label.name == name) return &label;
  }
  return nullptr;
}

// Not the same for (b, a), nor nothing for (a, a): label names and values are often each other's words.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;
  a = (a + odd) * odd;
  a = ((a ^ a >> 32) + b) * odd;
  return a ^ a >> 32;
}

// Of the labels but one, in any order.
std::uint64_t digest(std::string_view name, std::span<const Label> labels, std::string_view but) {
  const std::hash<std::string_view> hash;
  std::uint64_t sum = 0;
  for (const Label& label : labels) {
    if (label.name != but) sum += mix(hash(label.name), hash(label.value));
  }
  return mix(hash(name), sum);
}

}  // namespace

struct ExpositionRules::Seen {
  std::unordered_set<std::uint64_t> series;
};

// Of the histogram whose buckets are being told.
struct ExpositionRules::Buckets {
  bool open = false;
  std::uint64_t labels = 0;
  std::uint64_t line = 0;
  double bound = 0;
  double count = 0;
};

ExpositionRules::ExpositionRules(Format format, Visitor& next)
    : format_(format), next_(next), seen_(std::make_unique<Seen>()), buckets_(std::make_unique<Buckets>()) {}

ExpositionRules::~ExpositionRules() = default;

void ExpositionRules::on_family(const Family& family) {
  end_buckets();
  next_.on_family(family);
}

void ExpositionRules::on_problem(const Problem& problem) {
  if (told_++ < most_told) next_.on_problem(problem);
}

void ExpositionRules::on_sample(const Sample& sample) {
  next_.on_sample(sample);
  check_twice(sample);
  if ((sample.type == Type::histogram || sample.type == Type::gaugehistogram) && sample.suffix() == "_bucket") {
    check_bucket(sample);
  } else {
    end_buckets();
  }
  if (sample.type == Type::summary && sample.suffix().empty()) check_quantile(sample);
  if (format_ == Format::openmetrics) check_value(sample);
}

void ExpositionRules::finish() { end_buckets(); }

void ExpositionRules::check_twice(const Sample& sample) {
  std::uint64_t series = digest(sample.name, sample.labels, "");
  if (sample.timestamp) series = mix(series, std::hash<double>()(*sample.timestamp));
  if (!seen_->series.insert(series).second)
    broken(sample.line, "this series is there twice: its labels must tell it apart");
}

void ExpositionRules::check_value(const Sample& sample) {
  const std::string_view suffix = sample.suffix();
  const bool counts = suffix == "_total" || suffix == "_count" || suffix == "_bucket" || suffix == "_gcount";
  if (counts && !(sample.value >= 0)) broken(sample.line, "what counts cannot be negative, nor NaN");
  if (sample.type == Type::info && sample.value != 1) broken(sample.line, "the value of an info is always 1");
  if (sample.type != Type::stateset) return;
  if (sample.value != 0 && sample.value != 1) broken(sample.line, "a state is 0 or 1");
  if (find_label(sample, sample.family) == nullptr) {
    broken(sample.line, "a state needs a label with the family's name");
  }
}

// In the text format buckets may come in any order and without the last, but their bounds are numbers.
void ExpositionRules::check_bucket(const Sample& sample) {
  const Label* const le = find_label(sample, "le");
  if (le == nullptr) return broken(sample.line, "a bucket needs the label le, its upper bound");
  const std::optional<double> bound = parse_number(le->value, format_ == Format::text);
  if (!bound || std::isnan(*bound)) {
    return broken(sample.line, "the bucket's bound le=\"" + printable(le->value, 64) + "\" is not a number");
  }
  if (format_ == Format::text) return;
  const std::uint64_t labels = digest("", sample.labels, "le");
  if (buckets_->open && buckets_->labels != labels) end_buckets();
  if (buckets_->open && *bound <= buckets_->bound) broken(sample.line, "buckets must come with growing bounds");
  if (buckets_->open && sample.value < buckets_->count) {
    broken(sample.line, "a bucket counts less than the one before: buckets are cumulative");
  }
  *buckets_ = {true, labels, sample.line, *bound, sample.value};
}

void ExpositionRules::end_buckets() {
  if (!buckets_->open) return;
  buckets_->open = false;
  if (buckets_->bound != std::numeric_limits<double>::infinity()) {
    broken(buckets_->line, "the last bucket must be le=\"+Inf\"");
  }
}

void ExpositionRules::check_quantile(const Sample& sample) {
  const Label* const quantile = find_label(sample, "quantile");
  if (quantile == nullptr) {
    if (format_ == Format::openmetrics) broken(sample.line, "a summary's sample needs the label quantile");
    return;
  }
  const std::optional<double> value = parse_number(quantile->value, format_ == Format::text);
  const bool in_range = value && (format_ == Format::text || (*value >= 0 && *value <= 1));
  if (!in_range) {
    broken(sample.line, "quantile=\"" + printable(quantile->value, 64) + "\" is not a number from 0 to 1");
  }
}

void ExpositionRules::broken(std::uint64_t line, std::string_view what) {
  ++problems_;
  on_problem({line, 1, what});
}

}  // namespace trunkline::metrics
