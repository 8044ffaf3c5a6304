// One part of the product that runs by itself. The process starts them in order, tells each of a new configuration, and
// drains them in the opposite order; what they have to say of themselves comes from here too.
#pragma once

#include <string>
#include <string_view>

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

#include "metrics/exposition_writer.h"
#include "services/run/configuration.h"

namespace trunkline::run {

class Service {
 public:
  Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  virtual std::string_view name() const = 0;

  // These four are called on one thread, in their order. A configuration that does not name the service makes it idle.
  virtual Result<void> start(const Configuration& configuration) = 0;
  // Whether reload() could use it; changes nothing. All services are asked before the first of them is told.
  virtual Result<void> check(const Configuration& configuration) = 0;
  // std::system_error: the machine has no thread or descriptor left for what is new; the next reload makes up for it.
  virtual void reload(const Configuration& configuration) = 0;
  // Ends what is under way in order, writes what is to be remembered, and stops. True: within the limit.
  virtual bool drain(Duration limit) = 0;

  // From any thread, at any time, and without waiting for more than a lock.
  virtual bool ready() const = 0;
  virtual std::string trouble() const = 0;  // a sentence: what does not work as configured just now, or empty
  virtual void write_metrics(metrics::ExpositionWriter& writer) const = 0;
};

}  // namespace trunkline::run
