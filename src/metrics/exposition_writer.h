// What we expose, as text: families with all of their samples together, in the order in which they were first named.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "metrics/exposition.h"

namespace trunkline::metrics {

class ExpositionWriter {
 public:
  explicit ExpositionWriter(Format format) : format_(format) {}

  // What comes next belongs to this family. Naming it again goes on with it, so that several sources may share one.
  // Names of counters end in _total; that of an info is without its _info.
  void family(std::string_view name, Type type, std::string_view help);

  void sample(std::span<const Label> labels, double value) { add("", labels, value); }
  void sample(std::span<const Label> labels, std::uint64_t value);
  void sample(std::initializer_list<Label> labels, double value) { add("", {labels.begin(), labels.size()}, value); }
  void sample(double value) { add("", {}, value); }

  // `counts` has one more than `bounds`: what is beyond the last. They are made cumulative here.
  void histogram(std::span<const Label> labels, std::span<const double> bounds, std::span<const std::uint64_t> counts,
                 double sum);

  // One sample as another program told it.
  void relay(std::string_view suffix, std::span<const Label> labels, double value, std::optional<double> timestamp);

  Format format() const { return format_; }

  // The whole body; the writer is empty afterwards.
  std::string take();

 private:
  struct Section {
    std::string sample_name;
    std::string text;
  };

  void add(std::string_view suffix, std::span<const Label> labels, double value);
  void add_head(std::string_view suffix, std::span<const Label> labels);

  Format format_;
  std::vector<Section> sections_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::size_t current_ = 0;
};

// A page in the text format, with labels of its own in front of each sample's: what a library of ours or another
// program exposes by itself. False when it is not valid; what could be read is there all the same.
bool relay_page(ExpositionWriter& writer, std::string_view page, std::span<const Label> more = {});

}  // namespace trunkline::metrics
