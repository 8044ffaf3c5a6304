#include "services/doctor/diagnose.h"

#include <algorithm>

#include "services/doctor/findings.h"
#include "services/doctor/uses.h"

namespace trunkline::doctor {
namespace {

constexpr std::size_t most_uses = 1'000;

// What costs most comes first: dials, then ports, then what is merely open.
bool more_troubled(const Use& a, const Use& b) {
  const auto weight = [](const Use& use) {
    return std::tuple(!use.inbound, use.dialled, use.ports_held, use.state(SocketState::time_wait), use.open());
  };
  if (weight(a) != weight(b)) return weight(a) > weight(b);
  return a.destination < b.destination;
}

}  // namespace

std::uint64_t Use::open() const {
  return state(SocketState::established) + state(SocketState::close_wait) + state(SocketState::syn_sent);
}

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::critical:
      return "critical";
  }
  return "note";
}

Diagnosis diagnose(const Observation& seen) {
  Diagnosis diagnosis;
  diagnosis.seconds = std::chrono::duration<double>(seen.after.at - seen.before.at).count();
  diagnosis.ports = seen.ports;
  diagnosis.unseen = seen.unseen;
  diagnosis.uses = gather_uses(seen);
  std::sort(diagnosis.uses.begin(), diagnosis.uses.end(), more_troubled);
  for (const Use& use : diagnosis.uses) diagnosis.dials += use.inbound ? 0 : use.dialled;
  if (seen.before.counters && seen.after.counters && seen.after.counters->dials >= seen.before.counters->dials) {
    diagnosis.dials_in_all = seen.after.counters->dials - seen.before.counters->dials;
    diagnosis.failed_in_all = seen.after.counters->failed_dials -
                              std::min(seen.before.counters->failed_dials, seen.after.counters->failed_dials);
  }
  diagnosis.whole_namespace = !seen.only;
  diagnosis.findings = find(diagnosis);
  if (diagnosis.uses.size() > most_uses) {
    diagnosis.uses_left_out = diagnosis.uses.size() - most_uses;
    diagnosis.uses.resize(most_uses);
  }
  return diagnosis;
}

}  // namespace trunkline::doctor
