// What a parser told, as text: for tests and the fuzzer, which compare whole stories.
#pragma once

#include <string>

#include "base/text.h"
#include "metrics/exposition_parser.h"
#include "metrics/number.h"

namespace trunkline::metrics {

class Transcript final : public Visitor {
 public:
  explicit Transcript(Format format) : format_(format) {}

  // family NAME TYPE "help" "unit" / NAME{label="value"} NUMBER @SECONDS # {...} NUMBER / problem LINE:COLUMN WHAT
  std::string text;

  void on_family(const Family& family) override {
    text += "family " + std::string(family.name) + " " + std::string(to_string(family.type, format_)) + " " +
            json_string(family.help) + " " + json_string(family.unit) + "\n";
  }
  void on_sample(const Sample& sample) override {
    text += sample.name;
    add_labels(sample.labels);
    text += " ";
    append_number(text, sample.value);
    add_timestamp(sample.timestamp);
    if (sample.exemplar != nullptr) {
      text += " # ";
      add_labels(sample.exemplar->labels);
      text += " ";
      append_number(text, sample.exemplar->value);
      add_timestamp(sample.exemplar->timestamp);
    }
    text += "\n";
  }
  void on_problem(const Problem& problem) override {
    text += "problem " + std::to_string(problem.line) + ":" + std::to_string(problem.column) + " " +
            std::string(problem.what) + "\n";
  }

 private:
  void add_labels(std::span<const Label> labels) {
    if (labels.empty()) return;
    const char* before = "{";
    for (const Label& label : labels) {
      text += before;
      text += label.name;
      text += "=" + json_string(label.value);
      before = ",";
    }
    text += "}";
  }
  void add_timestamp(std::optional<double> timestamp) {
    if (!timestamp) return;
    text += " @";
    append_number(text, *timestamp);
  }

  Format format_;
};

// A body in pieces of a size, each in memory of its own, so that AddressSanitizer sees a view that outlives its chunk.
inline std::string transcript(std::string_view body, Format format, std::size_t piece = SIZE_MAX,
                              const Wanted& wanted = {}, const ExpositionLimits& limits = {}) {
  Transcript out(format);
  ExpositionParser parser(format, out, wanted, limits);
  while (!body.empty()) {
    const std::string own(body.substr(0, piece));
    body.remove_prefix(own.size());
    if (const Result<void> fed = parser.feed(own); !fed) return out.text + "error " + fed.error().message + "\n";
  }
  if (const Result<void> end = parser.finish(); !end) return out.text + "error " + end.error().message + "\n";
  if (parser.counts().truncated) out.text += "truncated\n";
  return out.text;
}

}  // namespace trunkline::metrics
