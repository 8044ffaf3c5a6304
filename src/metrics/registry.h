// All that a program exposes: an object of its own, which main() makes and hands on. Instruments live as long as it
// does.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/exposition_writer.h"
#include "metrics/instruments.h"
#include "metrics/label_set.h"

namespace trunkline::metrics {

class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Names as users see them: of counters they end in _total. A name that the formats do not have, or one that is there
  // already, is a bug and ends the program: it shows at the start.
  Counter& counter(std::string name, std::string help);
  Gauge& gauge(std::string name, std::string help);
  Histogram& histogram(std::string name, std::string help, std::vector<double> bounds);

  using Names = std::vector<std::string>;
  LabelSet<Counter>& counters(std::string name, std::string help, Names labels, std::size_t limit = default_children);
  LabelSet<Gauge>& gauges(std::string name, std::string help, Names labels, std::size_t limit = default_children);
  LabelSet<Histogram>& histograms(std::string name, std::string help, Names labels, std::vector<double> bounds,
                                  std::size_t limit = default_children);

  // Asked at each scrape for what is counted elsewhere. Calls end before its Collector does, which must therefore not
  // be ended from within one.
  using Collect = std::function<void(ExpositionWriter&)>;
  class Source;
  class [[nodiscard]] Collector {
   public:
    Collector() = default;
    explicit Collector(std::shared_ptr<Source> source) : source_(std::move(source)) {}
    Collector(Collector&&) noexcept = default;
    Collector& operator=(Collector&& other) noexcept;
    ~Collector();

   private:
    std::shared_ptr<Source> source_;
  };
  Collector collect(Collect collect);

  void write(ExpositionWriter& writer) const;
  std::string page(Format format) const;

 private:
  class Section;
  template <class Instrument>
  class Single;
  template <class Instrument>
  class Labelled;

  template <class Kind, class... Arguments>
  auto& add(Arguments&&... arguments);
  void check(const std::string& name, Type type, const Names& labels) const;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Section>> sections_;
  std::vector<std::weak_ptr<Source>> sources_;
};

}  // namespace trunkline::metrics
