// The console: what a process knows of its connections and fleets, as an API (docs/API.md), a stream of events and a
// page.
//
//   server::Router router;
//   const std::shared_ptr<console::Console> console = console::add_console(router, sources);
//   auto server = Server::start(settings, std::move(router).handler().value());
//   ...
//   console->stop();       // ends the streams, which would hold up the drain
//   server->drain(limit);
#pragma once

#include <condition_variable>
#include <memory>
#include <shared_mutex>
#include <thread>

#include "server/router.h"
#include "services/console/events.h"
#include "services/console/sources.h"
#include "services/console/views.h"
#include "services/console/watch.h"
#include "services/console/workshop.h"

namespace trunkline::console {

struct ConsoleSettings {
  Duration look_every = std::chrono::seconds(1);  // 0: never by itself; look() does it (tests)
  EventSettings events = {};
};

class Console {
 public:
  Console(ConsoleSources sources, const ConsoleSettings& settings);
  ~Console();  // stops
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Ends the streams and the threads. Afterwards no source is asked any more, and the API answers 503. Not on a
  // server's loop. Twice does no harm.
  void stop();
  // One look at the sources, as if it were that time. Not beside its own thread's.
  void look(const Now& now) { watch_.step(now); }

  const ConsoleSources& sources() const { return sources_; }
  Events& events() { return events_; }
  const Watch& watch() const { return watch_; }
  Workshop& workshop() { return workshop_; }

  // Runs `ask`, which may ask the sources, unless stop() has begun; stop() waits for it. False: it has begun.
  template <class Ask>
  bool while_running(Ask ask) {
    const std::shared_lock running(asking_);
    if (stopped_) return false;
    ask();
    return true;
  }

 private:
  void run(Duration look_every);

  const ConsoleSources sources_;
  Events events_;
  Watch watch_;
  Workshop workshop_;
  std::shared_mutex asking_;  // held by all who ask sources; exclusively to change `stopped_`
  std::condition_variable_any stopping_;
  bool stopped_ = false;
  std::thread thread_;
};

// The page at "/" and below "/assets/", the API below "/api/v1/". The console lives until the router's handler and
// whoever holds the result are gone.
std::shared_ptr<Console> add_console(server::Router& router, ConsoleSources sources,
                                     const ConsoleSettings& settings = {});

}  // namespace trunkline::console
