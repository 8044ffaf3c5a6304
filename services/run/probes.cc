#include "services/run/probes.h"

#include "base/text.h"

namespace trunkline::run {
namespace {

std::string word(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string readiness_json(bool ready, const std::vector<ServiceStatus>& services) {
  std::string out = "{\"ready\":" + word(ready) + ",\"services\":[";
  for (const ServiceStatus& one : services) {
    if (&one != services.data()) out += ',';
    out += "{\"name\":" + json_string(one.name) + ",\"ready\":" + word(one.ready) +
           ",\"trouble\":" + json_string(one.trouble) + "}";
  }
  return out + "]}\n";
}

}  // namespace trunkline::run
