#include "services/console/console.h"

#include <unistd.h>

#include <mutex>
#include <utility>

namespace trunkline::console {
namespace {

// Differs from that of the process before, whose event ids began at 1 as well.
std::string process_mark() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(::getpid()) + "." +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

}  // namespace

Console::Console(ConsoleSources sources, const ConsoleSettings& settings)
    : sources_(std::move(sources)), events_(process_mark(), settings.events), watch_(sources_, events_) {
  if (settings.look_every > Duration(0)) thread_ = std::thread([this, every = settings.look_every] { run(every); });
}

Console::~Console() { stop(); }

void Console::run(Duration look_every) {
  std::shared_lock running(asking_);
  while (!stopped_) {
    look(Now::read());
    stopping_.wait_for(running, look_every, [this] { return stopped_; });
  }
}

void Console::stop() {
  {
    const std::unique_lock nobody_asks(asking_);
    stopped_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) thread_.join();
  workshop_.stop();
  events_.close();
}

}  // namespace trunkline::console
