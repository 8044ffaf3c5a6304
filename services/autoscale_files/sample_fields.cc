#include "services/autoscale_files/sample_fields.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/text.h"

namespace trunkline::autoscale {
namespace {

using config::anything;
using config::Node;

// A value that is not there is not known; the default in its place would be a measurement of 0.
template <class Io>
void require_fields(Io& io, std::initializer_list<std::string_view> names, std::string_view sentence) {
  if constexpr (Io::reading) {
    for (const std::string_view name : names) io.require(io.has(name), name, sentence);
  }
}

template <class Io>
void sample_fields(Io& io, Sample& sample) {
  io.text("metric", sample.metric);
  io.number("value", sample.value, anything);
  if (Io::reading || !sample.series.empty()) io.text("series", sample.series);
  if (Io::reading || !sample.container.empty()) io.text("container", sample.container);
  io.time("at", sample.at);
  if (Io::reading || sample.window.count() != 0) io.duration("window", sample.window);
  io.time("since", sample.since);
  if (Io::reading || !sample.buckets.empty()) {
    io.list(
        "buckets", sample.buckets,
        [](auto& in, Bucket& bucket) {
          in.number("le", bucket.upper, anything);
          in.number("count", bucket.cumulative, anything);
          require_fields(in, {"le", "count"}, "a bucket needs le and count");
        },
        10'000);
  }
  io.require(!sample.metric.empty(), "metric", "a sample needs the name of its metric");
  if (sample.buckets.empty())
    require_fields(io, {"value"}, "a sample needs its value; leave it out when none is known");
}

bool is_plain(const Sample& sample) { return sample == Sample{.metric = sample.metric, .value = sample.value}; }

bool can_be_a_mapping(const std::vector<Sample>& samples) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!is_plain(samples[i])) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (samples[i].metric == samples[j].metric) return false;
    }
  }
  return true;
}

}  // namespace

void samples_fields(config::Reader& io, std::vector<Sample>& samples, TimePoint now) {
  io.list("samples", samples, [&](config::Reader& in, Sample& sample) {
    sample_fields(in, sample);
    if (!in.has("age")) return in.ignore("age");
    Duration age{0};
    in.duration("age", age);
    sample.at = now - age;
  });
  io.measured_by_name("values", [&](const std::string& metric, double value) {
    samples.push_back({.metric = metric, .value = value});
  });
}

void samples_fields(config::Writer& io, std::vector<Sample>& samples, TimePoint /*now*/) {
  if (samples.empty()) return;
  if (can_be_a_mapping(samples)) {
    io.object("values", [&](config::Writer& out) {
      for (const Sample& sample : samples) out.number(sample.metric, sample.value);
    });
    return;
  }
  io.list("samples", samples, [](config::Writer& out, Sample& sample) { sample_fields(out, sample); });
}

void requests_field(config::Reader& io, std::vector<ResourceRequest>& requests) {
  const Node* node = io.take("requests");
  if (!node) return;
  if (node->kind == Node::Kind::map) {
    io.measured_by_name("requests", [&](const std::string& resource, double amount) {
      if (!std::isfinite(amount) || amount < 0) {
        return io.problem(*node, "requests", printable(resource, 60) + ": expected a number, 0 or more");
      }
      requests.push_back({.container = {}, .resource = resource, .amount = amount});
    });
    return;
  }
  io.list("requests", requests, [](config::Reader& in, ResourceRequest& request) {
    in.text("container", request.container);
    in.text("resource", request.resource);
    in.quantity("amount", request.amount, config::not_negative);
    in.require(!request.resource.empty(), "resource", "a request needs the name of its resource");
    require_fields(in, {"amount"}, "a request needs its amount");
  });
}

void requests_field(config::Writer& io, std::vector<ResourceRequest>& requests) {
  if (requests.empty()) return;
  io.list("requests", requests, [](config::Writer& out, ResourceRequest& request) {
    if (!request.container.empty()) out.text("container", request.container);
    out.text("resource", request.resource);
    out.number("amount", request.amount);
  });
}

void external_field(config::Reader& io, std::vector<ExternalValue>& external) {
  const Node* node = io.take("external");
  if (!node) return;
  if (node->kind == Node::Kind::map) {
    io.measured_by_name("external", [&](const std::string& metric, double value) {
      external.push_back({.metric = metric, .value = value});
    });
    return;
  }
  io.list("external", external, [](config::Reader& in, ExternalValue& value) {
    in.text("metric", value.metric);
    in.number("value", value.value, anything);
    in.time("at", value.at);
    in.text("target", value.target);
    in.require(!value.metric.empty(), "metric", "a value needs the name of its metric");
    require_fields(in, {"value"}, "an entry needs its value; leave it out when none is known");
  });
}

void external_field(config::Writer& io, std::vector<ExternalValue>& external) {
  if (external.empty()) return;
  std::vector<std::string_view> names;
  bool plain = true;
  for (const ExternalValue& value : external) {
    plain &= !value.at && value.target.empty() && std::find(names.begin(), names.end(), value.metric) == names.end();
    names.emplace_back(value.metric);
  }
  if (plain) {
    io.object("external", [&](config::Writer& out) {
      for (const ExternalValue& value : external) out.number(value.metric, value.value);
    });
    return;
  }
  io.list("external", external, [](config::Writer& out, ExternalValue& value) {
    out.text("metric", value.metric);
    out.number("value", value.value);
    out.time("at", value.at);
    if (!value.target.empty()) out.text("target", value.target);
  });
}

}  // namespace trunkline::autoscale
