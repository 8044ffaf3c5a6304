// All services of one process and their life: started in order, told of a new configuration all or none, drained. It
// knows no signal and reads no command line.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "metrics/registry.h"
#include "services/console/console.h"
#include "services/run/admin.h"
#include "services/run/autoscale_service.h"
#include "services/run/gate.h"
#include "services/run/log.h"
#include "services/run/news.h"
#include "services/run/probes.h"
#include "services/run/scrape_service.h"
#include "services/run/service.h"

namespace trunkline::run {

class Supervisor {
 public:
  // `file` is read now, and again at each reload.
  Supervisor(std::string file, Log log);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // These are called on one thread. An error: nothing is left running.
  Result<void> start(Configuration configuration);
  // Reads the file again. What is wrong with it is told, and changes nothing.
  bool reload();
  // Writes to the log what has happened since the last time. To be called about once a second.
  void tell_news();
  // Not ready from now on, the listener closed, every service drained. True: nothing was cut off.
  bool drain();
  Duration drain_limit() const { return configuration_.drain; }

  // From any thread.
  bool ready() const;
  std::vector<ServiceStatus> services() const;
  std::vector<std::string> addresses() const { return admin_.addresses(); }
  metrics::Registry& registry() { return registry_; }

 private:
  Result<void> apply(Configuration configuration);
  bool tell_services();
  // What answers at the listener, and the console when it is part of that.
  struct Front {
    server::Handler handler;
    std::shared_ptr<console::Console> console;
  };
  Result<Front> make_front(const AdminSettings& admin);
  void show(Front front);
  console::ConsoleSources console_sources(const AdminSettings& admin);
  console::ProcessFacts facts() const;
  void tell_addresses() const;
  void write_metrics(metrics::ExpositionWriter& writer) const;

  const std::string file_;
  const Log log_;
  Configuration configuration_;
  const std::chrono::system_clock::time_point started_at_ = std::chrono::system_clock::now();
  const TimePoint began_ = Clock::now();
  std::vector<std::unique_ptr<Service>> services_;
  ScrapeService* scrape_ = nullptr;  // two of them
  AutoscaleService* autoscale_ = nullptr;
  News news_;
  std::size_t started_ = 0;
  std::atomic<bool> draining_{false};
  std::atomic<bool> up_{false};
  metrics::Registry registry_;
  metrics::Gauge& reload_successful_;
  metrics::Gauge& reload_time_;
  metrics::Registry::Collector collector_;
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::shared_ptr<console::Console> console_;  // null: none is wanted
  Admin admin_;                                // ends before all that its handler uses
};

}  // namespace trunkline::run
