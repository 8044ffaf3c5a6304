#include "metrics/registry.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "metrics/sample_line.h"

namespace trunkline::metrics {
namespace {

constexpr Type type_of(const Counter* /*kind*/) { return Type::counter; }
constexpr Type type_of(const Gauge* /*kind*/) { return Type::gauge; }
constexpr Type type_of(const Histogram* /*kind*/) { return Type::histogram; }

void write_one(ExpositionWriter& writer, std::span<const Label> labels, const Counter& counter) {
  writer.sample(labels, counter.value());
}
void write_one(ExpositionWriter& writer, std::span<const Label> labels, const Gauge& gauge) {
  writer.sample(labels, gauge.value());
}
void write_one(ExpositionWriter& writer, std::span<const Label> labels, const Histogram& histogram) {
  writer.histogram(labels, histogram.bounds(), histogram.counts(), histogram.sum());
}

}  // namespace

class Registry::Section {
 public:
  Section(std::string name, std::string help, Type type)
      : name_(std::move(name)), help_(std::move(help)), type_(type) {}
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  virtual ~Section() = default;

  const std::string& name() const { return name_; }
  void write(ExpositionWriter& writer) const {
    writer.family(name_, type_, help_);
    write_samples(writer);
  }
  virtual std::uint64_t refused() const { return 0; }

 private:
  virtual void write_samples(ExpositionWriter& writer) const = 0;

  std::string name_;
  std::string help_;
  Type type_;
};

template <class Instrument>
class Registry::Single final : public Section {
 public:
  template <class... Arguments>
  Single(std::string name, std::string help, Arguments&&... arguments)
      : Section(std::move(name), std::move(help), type_of(static_cast<Instrument*>(nullptr))),
        it(std::forward<Arguments>(arguments)...) {}

  Instrument it;

 private:
  void write_samples(ExpositionWriter& writer) const override { write_one(writer, {}, it); }
};

template <class Instrument>
class Registry::Labelled final : public Section {
 public:
  Labelled(std::string name, std::string help, Names labels, std::size_t limit,
           typename LabelSet<Instrument>::Make make)
      : Section(std::move(name), std::move(help), type_of(static_cast<Instrument*>(nullptr))),
        it(std::move(labels), limit, std::move(make)) {}

  LabelSet<Instrument> it;

  std::uint64_t refused() const override { return it.refused(); }

 private:
  void write_samples(ExpositionWriter& writer) const override {
    it.for_each([&writer](std::span<const Label> labels, const Instrument& one) { write_one(writer, labels, one); });
  }
};

// Its lock is held during a call, so that whoever takes it away waits for the call to end.
class Registry::Source {
 public:
  explicit Source(Collect collect) : collect_(std::move(collect)) {}

  void call(ExpositionWriter& writer) {
    const std::lock_guard lock(mutex_);
    if (collect_) collect_(writer);
  }
  void end() {
    const std::lock_guard lock(mutex_);
    collect_ = nullptr;
  }

 private:
  std::mutex mutex_;
  Collect collect_;
};

Registry::Collector& Registry::Collector::operator=(Collector&& other) noexcept {
  if (this == &other) return *this;
  if (source_) source_->end();
  source_ = std::move(other.source_);
  return *this;
}

Registry::Collector::~Collector() {
  if (source_) source_->end();
}

template <class Kind, class... Arguments>
auto& Registry::add(Arguments&&... arguments) {
  auto section = std::make_shared<Kind>(std::forward<Arguments>(arguments)...);
  auto& it = section->it;
  sections_.push_back(std::move(section));
  return it;
}

void Registry::check(const std::string& name, Type type, const Names& labels) const {
  const char* wrong = nullptr;
  if (!is_plain_name(name, true)) wrong = "is not the name of a metric";
  if ((type == Type::counter) != name.ends_with("_total")) wrong = "counters, and only they, end in _total";
  for (const auto& section : sections_) {
    if (section->name() == name) wrong = "is there already";
  }
  for (const std::string& label : labels) {
    if (!is_plain_name(label, false) || label.starts_with("__") || label == "le" || label == "overflow") {
      wrong = "has a label with a name that is not free";
    }
  }
  if (wrong == nullptr) return;
  std::fprintf(stderr, "trunkline: a bug: metric \"%s\": %s\n", name.c_str(), wrong);
  std::abort();
}

Counter& Registry::counter(std::string name, std::string help) {
  const std::lock_guard lock(mutex_);
  check(name, Type::counter, {});
  return add<Single<Counter>>(std::move(name), std::move(help));
}

Gauge& Registry::gauge(std::string name, std::string help) {
  const std::lock_guard lock(mutex_);
  check(name, Type::gauge, {});
  return add<Single<Gauge>>(std::move(name), std::move(help));
}

Histogram& Registry::histogram(std::string name, std::string help, std::vector<double> bounds) {
  const std::lock_guard lock(mutex_);
  check(name, Type::histogram, {});
  return add<Single<Histogram>>(std::move(name), std::move(help), std::move(bounds));
}

LabelSet<Counter>& Registry::counters(std::string name, std::string help, Names labels, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  check(name, Type::counter, labels);
  return add<Labelled<Counter>>(std::move(name), std::move(help), std::move(labels), limit,
                                [] { return std::make_unique<Counter>(); });
}

LabelSet<Gauge>& Registry::gauges(std::string name, std::string help, Names labels, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  check(name, Type::gauge, labels);
  return add<Labelled<Gauge>>(std::move(name), std::move(help), std::move(labels), limit,
                              [] { return std::make_unique<Gauge>(); });
}

LabelSet<Histogram>& Registry::histograms(std::string name, std::string help, Names labels, std::vector<double> bounds,
                                          std::size_t limit) {
  const std::lock_guard lock(mutex_);
  check(name, Type::histogram, labels);
  auto make = [bounds = std::move(bounds)] { return std::make_unique<Histogram>(bounds); };
  return add<Labelled<Histogram>>(std::move(name), std::move(help), std::move(labels), limit, std::move(make));
}

Registry::Collector Registry::collect(Collect collect) {
  auto source = std::make_shared<Source>(std::move(collect));
  const std::lock_guard lock(mutex_);
  std::erase_if(sources_, [](const std::weak_ptr<Source>& one) { return one.expired(); });
  sources_.push_back(source);
  return Collector(std::move(source));
}

void Registry::write(ExpositionWriter& writer) const {
  std::vector<std::shared_ptr<Section>> sections;
  std::vector<std::weak_ptr<Source>> sources;
  {
    const std::lock_guard lock(mutex_);
    sections = sections_;
    sources = sources_;
  }
  std::uint64_t refused = 0;
  for (const auto& section : sections) {
    section->write(writer);
    refused += section->refused();
  }
  for (const auto& one : sources) {
    if (const std::shared_ptr<Source> source = one.lock()) source->call(writer);
  }
  writer.family("trunkline_metrics_refused_total", Type::counter,
                "Look-ups that found a metric full and were counted under overflow=\"true\".");
  writer.sample(std::span<const Label>(), refused);
}

std::string Registry::page(Format format) const {
  ExpositionWriter writer(format);
  write(writer);
  return writer.take();
}

}  // namespace trunkline::metrics
