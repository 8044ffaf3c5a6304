// What a body that reads well may still get wrong: buckets without bounds or out of order, a series told twice,
// counters that are negative. Stands between the parser and its visitor where a body is to be checked; scrapes do
// without, since this remembers every series.
#pragma once

#include <memory>

#include "metrics/exposition.h"

namespace trunkline::metrics {

class ExpositionRules final : public Visitor {
 public:
  // Everything goes on to `next`, which outlives this; what breaks a rule is told behind the sample, as a problem.
  ExpositionRules(Format format, Visitor& next);
  ~ExpositionRules() override;

  void on_family(const Family& family) override;
  void on_sample(const Sample& sample) override;
  void on_problem(const Problem& problem) override;

  // To be called at the end of the body: the last histogram may lack a bucket.
  void finish();

  std::uint64_t problems() const { return problems_; }  // broken rules only, not those of the parser

 private:
  struct Seen;
  struct Buckets;

  void check_twice(const Sample& sample);
  void check_value(const Sample& sample);
  void check_bucket(const Sample& sample);
  void check_quantile(const Sample& sample);
  void end_buckets();
  void broken(std::uint64_t line, std::string_view what);

  static constexpr std::uint64_t most_told = 100;

  const Format format_;
  Visitor& next_;
  std::uint64_t told_ = 0;  // the parser's problems and ours
  std::uint64_t problems_ = 0;
  std::unique_ptr<Seen> seen_;
  std::unique_ptr<Buckets> buckets_;
};

}  // namespace trunkline::metrics
