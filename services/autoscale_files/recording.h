// A recording: one JSON object a line, each what was seen at one moment. docs/autoscale-replay.md has the schema. What
// the live system records, the generator makes up and the simulator reads are all this form.
#pragma once

#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/snapshot.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

struct ScaleEvent {
  TimePoint at{};
  int change = 0;  // above 0: replicas added
  bool operator==(const ScaleEvent&) const = default;
};

// What an autoscaler would remember at the start of the recording.
struct History {
  std::vector<ReplicasAt> recommendations = {};
  std::vector<ReplicasAt> replicas = {};  // in force from then on
  std::vector<ScaleEvent> events = {};
  bool operator==(const History&) const = default;
};

struct Tick {
  TimePoint at{};
  Snapshot seen = {};
  std::optional<History> history = {};
  bool operator==(const Tick&) const = default;
};

Result<Tick> read_tick(std::string_view line, std::string_view file, int line_number);
std::string print_tick(const Tick& tick);  // one line, without its end

// Into the memories of every engine, so that it does not matter which one the policy asks for.
void seed(State& state, const History& history);

// The lines of a recording, in order. Empty lines are skipped; time must not go back.
class Recording {
 public:
  Recording(std::istream& in, std::string name, std::size_t most_line_bytes = 256 << 20)
      : in_(in), name_(std::move(name)), most_line_bytes_(most_line_bytes) {}

  Result<std::optional<Tick>> next();  // nothing at the end

 private:
  enum class Line : unsigned char { whole, too_long, none };
  Line read_line();

  std::istream& in_;
  std::string name_;
  std::size_t most_line_bytes_;
  std::string line_;
  int number_ = 0;
  std::optional<TimePoint> last_ = {};
};

}  // namespace trunkline::autoscale
