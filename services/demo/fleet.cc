#include "services/demo/fleet.h"

#include "services/demo/demo_policy.h"

namespace trunkline::demo {

Result<std::unique_ptr<autoscale::Autoscaler>> start_fleet(const std::string& program, int first_port) {
  autoscale::ProcessTargetSettings processes;
  processes.command = {program, "backend", "--quiet", "--listen", "127.0.0.1:${port}", "--drain", "2s"};
  processes.ports = {first_port, first_port + port_count - 1};
  processes.drain = std::chrono::seconds(5);
  autoscale::AutoscalerSettings settings;
  settings.interval = scrape_interval;
  // As the demo's own collectors, whose pool it shares: it would dial while one of them is being answered, and a dial
  // goes to whoever waits longest, so that they would be seen to dial for being busy.
  settings.open_per_process = 1;
  settings.fleets = {{.policy = demo_policy(), .target = processes}};
  auto autoscaler = autoscale::Autoscaler::create(std::move(settings));
  if (!autoscaler) return std::move(autoscaler).error();
  if (Result<void> started = (*autoscaler)->start(); !started) return started.error();
  return autoscaler;
}

}  // namespace trunkline::demo
