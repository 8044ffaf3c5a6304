// What systemd wants to hear from a service of Type=notify, as datagrams to the socket that it names (sd_notify(3)).
// Without one nothing is said.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::run {

class Notifier {
 public:
  // Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child speaks for us. Before
  // there are threads.
  static Notifier from_environment();
  explicit Notifier(std::string socket, std::optional<std::chrono::microseconds> watchdog = {})
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  void ready(std::string_view status) const;
  void reloading() const;
  void stopping(std::string_view status) const;
  void alive() const;  // nothing without a watchdog

  // How often alive() is to be said: half of the time after which systemd gives us up. None: never.
  std::optional<std::chrono::microseconds> alive_every() const;

 private:
  void send(const std::string& message) const;

  std::string socket_;  // empty: nobody listens
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace trunkline::run
