// The wanted samples of one target, as they were at one moment: compact, made once, then only read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/exposition.h"

namespace trunkline::scrape {

class SampleSet {
 public:
  struct Label {
    std::string_view name;
    std::string_view value;
  };

  std::size_t size() const { return samples_.size(); }
  std::string_view name(std::size_t sample) const { return text(samples_[sample].name); }
  std::string_view family(std::size_t sample) const {
    return text(samples_[sample].name).substr(0, samples_[sample].family_length);
  }
  metrics::Type type(std::size_t sample) const { return samples_[sample].type; }
  double value(std::size_t sample) const { return samples_[sample].value; }
  std::optional<double> timestamp(std::size_t sample) const;  // what the exposition says, seconds since 1970
  std::size_t label_count(std::size_t sample) const { return samples_[sample].label_count; }
  Label label(std::size_t sample, std::size_t index) const;
  // The first of that name with these very labels among its own, or nothing.
  std::optional<double> find(std::string_view name, std::string_view label = {}, std::string_view value = {}) const;

  std::size_t memory_bytes() const;

 private:
  friend class SampleCollector;
  struct Piece {
    std::uint32_t at = 0;
    std::uint32_t length = 0;
  };
  struct Sample {
    Piece name;
    std::uint32_t family_length = 0;
    std::uint32_t first_label = 0;
    std::uint32_t label_count = 0;
    metrics::Type type = metrics::Type::untyped;
    bool has_timestamp = false;
    double value = 0;
    double timestamp = 0;
  };

  std::string_view text(Piece piece) const { return std::string_view(bytes_).substr(piece.at, piece.length); }

  std::string bytes_;          // all names and values, each name once in a row
  std::vector<Piece> labels_;  // name, value, name, value
  std::vector<Sample> samples_;
};

// Fills a SampleSet from a parser, and keeps the first problem of the body.
class SampleCollector : public metrics::Visitor {
 public:
  explicit SampleCollector(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  void on_sample(const metrics::Sample& sample) override;
  void on_problem(const metrics::Problem& problem) override;

  const std::string& problem() const { return problem_; }  // "line 3, column 7: ...", or empty
  bool too_many() const { return too_many_; }              // what is wanted takes more memory than it may
  SampleSet take();

 private:
  SampleSet::Piece keep(std::string_view text);

  const std::size_t most_bytes_;
  SampleSet set_;
  std::string problem_;
  bool too_many_ = false;
};

}  // namespace trunkline::scrape
