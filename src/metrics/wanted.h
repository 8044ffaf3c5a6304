// Which families a reader wants. An exporter shows thousands of lines of which an autoscaler needs a dozen: the
// others are stepped over without being parsed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::metrics {

class Wanted {
 public:
  Wanted() = default;  // everything
  // Names are those of families or of single samples; prefixes are of names. Both empty: everything.
  explicit Wanted(std::vector<std::string> names, std::vector<std::string> prefixes = {});

  bool everything() const { return names_.empty() && prefixes_.empty(); }

  // A sample of this name: a wanted name itself, or with _bucket, _total, ... behind it.
  bool sample(std::string_view name) const;
  // The metadata of this family: some of its samples may be wanted.
  bool family(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::string> prefixes_;
};

}  // namespace trunkline::metrics
