#include "services/backend/settings.h"

#include "base/text.h"

namespace trunkline::backend {
namespace {

Error mistake(std::string message) { return {ErrorCode::invalid_options, Phase::prepare, std::move(message)}; }

}  // namespace

Result<void> check(const Settings& settings) {
  if (settings.latency > longest_latency) return mistake("latency: at most " + print_duration(longest_latency));
  if (settings.cpu > longest_cpu) return mistake("cpu: at most " + print_duration(longest_cpu));
  if (!(settings.leak >= 0 && settings.leak <= 1)) return mistake("leak: want a part from 0 to 1, such as 0.1");
  if (settings.silent_after > longest_silence || settings.silent_for > longest_silence) {
    return mistake("a silence begins and ends within " + print_duration(longest_silence));
  }
  if (settings.silent_after > Duration::zero() && settings.silent_for == Duration::zero()) {
    return mistake("silent-after: for how long? Give silent-for too");
  }
  return {};
}

}  // namespace trunkline::backend
