// A body of metrics tells the same story however it is cut, in both formats, and nothing beyond its limits. What is
// wanted alone is told as it is when all is. The first byte chooses.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "metrics/transcript.h"

namespace {

using namespace trunkline::metrics;

constexpr ExpositionLimits tight = {.body_bytes = 200,
                                    .samples = 5,
                                    .families = 3,
                                    .labels = 2,
                                    .name_bytes = 8,
                                    .value_bytes = 8,
                                    .line_bytes = 60,
                                    .problems_told = 3};

class WithinLimits final : public Visitor {
 public:
  explicit WithinLimits(const ExpositionLimits& limits) : limits_(limits) {}
  void on_sample(const Sample& sample) override {
    if (++samples_ > limits_.samples || sample.labels.size() > limits_.labels || sample.name.empty() ||
        sample.name.size() > limits_.name_bytes) {
      std::abort();
    }
    for (const Label& label : sample.labels) {
      if (label.name.size() > limits_.name_bytes || label.value.size() > limits_.value_bytes) std::abort();
    }
  }

 private:
  ExpositionLimits limits_;
  std::uint64_t samples_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Format format = (data[0] & 1) != 0 ? Format::openmetrics : Format::text;
  const ExpositionLimits limits = (data[0] & 2) != 0 ? tight : ExpositionLimits();
  const Wanted wanted = (data[0] & 4) != 0 ? Wanted({"a"}, {"b"}) : Wanted();
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);

  WithinLimits within(limits);
  (void)parse_exposition(body, format, within, wanted, limits);
  const std::string whole = transcript(body, format, SIZE_MAX, wanted, limits);
  for (const std::size_t piece : {1, 2, 3, 17}) {
    const std::string other = transcript(body, format, piece, wanted, limits);
    if (whole == other) continue;
    std::fprintf(stderr, "whole: %s\nin pieces of %zu: %s\n", whole.c_str(), piece, other.c_str());
    std::abort();
  }
  return 0;
}
