#include "services/run/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace trunkline::run {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value ? value : "";
  ::unsetenv(name);
  return text;
}

std::optional<long long> number_of(const std::string& text) {
  long long value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// One line of a message: what it holds must not look like another one.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

}  // namespace

Notifier Notifier::from_environment() {
  const std::string socket = take_variable("NOTIFY_SOCKET");
  const std::optional<long long> period = number_of(take_variable("WATCHDOG_USEC"));
  const std::optional<long long> process = number_of(take_variable("WATCHDOG_PID"));
  const bool for_us = !process || *process == ::getpid();
  if (!period || *period <= 0 || !for_us) return Notifier(socket);
  return Notifier(socket, std::chrono::microseconds(*period));
}

void Notifier::ready(std::string_view status) const { send("READY=1\nSTATUS=" + one_line(status)); }

void Notifier::reloading() const {
  // Type=notify-reload compares this with the moment of its signal.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const long long microseconds = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

void Notifier::stopping(std::string_view status) const { send("STOPPING=1\nSTATUS=" + one_line(status)); }
void Notifier::alive() const {
  if (watchdog_) send("WATCHDOG=1");
}

std::optional<std::chrono::microseconds> Notifier::alive_every() const {
  if (!watchdog_ || socket_.empty()) return std::nullopt;
  return std::max(*watchdog_ / 2, std::chrono::microseconds(1000));
}

void Notifier::send(const std::string& message) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), socket_.data(), socket_.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  // "@" stands for the zero byte of an abstract socket's name.
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  const auto* target = reinterpret_cast<const sockaddr*>(&address);
  // Nobody is told of a failure: who would have listened is not there.
  [[maybe_unused]] const ssize_t sent =
      ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT, target, length);
  ::close(descriptor);
}

}  // namespace trunkline::run
