// What the autoscaler remembers, on disk, so that a restarted process decides as the old one would have. The file has a
// version; one of another version, of another program, or cut short is refused with a sentence, and one starts anew.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <trunkline/result.hpp>

#include "services/autoscale/state.h"

namespace trunkline::autoscale {

// By the policy's name. Times are the engine's; live it counts from 1970, so that they mean the same after a restart.
using States = std::map<std::string, State>;

inline constexpr int state_version = 1;

std::string print_states(const States& states, TimePoint now);

// Refused too when it was saved after `now`, beyond a minute: the clock was set back, and a memory of the future would
// stop all decisions until then.
Result<States> read_states(std::string_view text, std::string_view file, TimePoint now);

// Replaces the file as a whole, or leaves it as it was, also when the machine stops in between.
Result<void> save_states(const std::string& path, const States& states, TimePoint now);
Result<States> load_states(const std::string& path, TimePoint now);  // a file that is not there is no error: empty

}  // namespace trunkline::autoscale
