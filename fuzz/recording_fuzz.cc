// A line of a recording is refused with a place, or reads, prints and reads again as the same; the same for a state
// file.
#include <cstdint>
#include <string>

#include "require.h"
#include "services/autoscale_files/recording.h"
#include "services/autoscale_files/state_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8192) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto tick = trunkline::autoscale::read_tick(text, "f", 1);
  if (tick) {
    // Printed texts are compared: a NaN is not equal to itself.
    const std::string printed = trunkline::autoscale::print_tick(*tick);
    const auto again = trunkline::autoscale::read_tick(printed, "printed", 1);
    require(again.has_value(), "a printed line does not read", printed);
    require(trunkline::autoscale::print_tick(*again) == printed, "a line changes", printed);
  }
  const trunkline::TimePoint now{std::chrono::seconds(1'800'000'000)};
  const auto states = trunkline::autoscale::read_states(text, "f", now);
  if (states) {
    const std::string printed = trunkline::autoscale::print_states(*states, now);
    const auto again = trunkline::autoscale::read_states(printed, "printed", now);
    require(again.has_value(), "a printed state does not read", printed);
    require(trunkline::autoscale::print_states(*again, now) == printed, "a state changes", printed);
  }
  return 0;
}
