#include "services/scrape/sample_set.h"

#include <utility>

#include "base/text.h"

namespace trunkline::scrape {

std::optional<double> SampleSet::timestamp(std::size_t sample) const {
  const Sample& found = samples_[sample];
  return found.has_timestamp ? std::optional<double>(found.timestamp) : std::nullopt;
}

SampleSet::Label SampleSet::label(std::size_t sample, std::size_t index) const {
  const std::size_t at = samples_[sample].first_label + 2 * index;
  return {text(labels_[at]), text(labels_[at + 1])};
}

std::optional<double> SampleSet::find(std::string_view name, std::string_view label_name,
                                      std::string_view label_value) const {
  for (std::size_t sample = 0; sample < size(); ++sample) {
    if (this->name(sample) != name) continue;
    if (label_name.empty()) return value(sample);
    for (std::size_t index = 0; index < label_count(sample); ++index) {
      const Label one = label(sample, index);
      if (one.name == label_name && one.value == label_value) return value(sample);
    }
  }
  return std::nullopt;
}

std::size_t SampleSet::memory_bytes() const {
  return sizeof *this + bytes_.capacity() + labels_.capacity() * sizeof(Piece) + samples_.capacity() * sizeof(Sample);
}

SampleSet::Piece SampleCollector::keep(std::string_view text) {
  const SampleSet::Piece piece{static_cast<std::uint32_t>(set_.bytes_.size()), static_cast<std::uint32_t>(text.size())};
  set_.bytes_.append(text);
  return piece;
}

void SampleCollector::on_sample(const metrics::Sample& sample) {
  const std::size_t taken = set_.bytes_.size() + set_.labels_.size() * sizeof(SampleSet::Piece) +
                            set_.samples_.size() * sizeof(SampleSet::Sample);
  if (taken > most_bytes_) too_many_ = true;
  if (too_many_) return;
  SampleSet::Sample kept;
  const bool same_name = !set_.samples_.empty() && set_.text(set_.samples_.back().name) == sample.name;
  kept.name = same_name ? set_.samples_.back().name : keep(sample.name);
  kept.family_length = static_cast<std::uint32_t>(sample.family.size());
  kept.type = sample.type;
  kept.value = sample.value;
  kept.has_timestamp = sample.timestamp.has_value();
  kept.timestamp = sample.timestamp.value_or(0);
  kept.first_label = static_cast<std::uint32_t>(set_.labels_.size());
  kept.label_count = static_cast<std::uint32_t>(sample.labels.size());
  for (const metrics::Label& label : sample.labels) {
    set_.labels_.push_back(keep(label.name));
    set_.labels_.push_back(keep(label.value));
  }
  set_.samples_.push_back(kept);
}

void SampleCollector::on_problem(const metrics::Problem& problem) {
  if (!problem_.empty()) return;
  problem_ = "line " + std::to_string(problem.line) + ", column " + std::to_string(problem.column) + ": " +
             printable(problem.what);
}

SampleSet SampleCollector::take() {
  set_.bytes_.shrink_to_fit();
  set_.labels_.shrink_to_fit();
  set_.samples_.shrink_to_fit();
  return std::move(set_);
}

}  // namespace trunkline::scrape
