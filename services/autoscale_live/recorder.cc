#include "services/autoscale_live/recorder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace trunkline::autoscale {
namespace {

Error not_recorded(const std::string& path) {
  const std::string why = std::strerror(errno);
  return {ErrorCode::invalid_options, Phase::prepare, path + ": cannot be recorded to: " + why};
}

}  // namespace

// Opened for each line: seconds lie between two, and whoever moves the file away or removes it gets a new one.
Result<void> Recorder::add(const Tick& tick) const {
  const std::string line = print_tick(tick) + "\n";
  struct stat found{};
  const bool full = ::stat(path_.c_str(), &found) == 0 && found.st_size > 0 &&
                    static_cast<std::uint64_t>(found.st_size) + line.size() > most_bytes_;
  if (full && std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return not_recorded(path_);
  const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (file < 0) return not_recorded(path_);
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t more = ::write(file, line.data() + written, line.size() - written);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) {
      Error error = not_recorded(path_);
      // Half a line would spoil the whole recording.
      if (written > 0 && ::fstat(file, &found) == 0) {
        [[maybe_unused]] const int cut = ::ftruncate(file, found.st_size - static_cast<off_t>(written));
      }
      ::close(file);
      return error;
    }
    written += static_cast<std::size_t>(more);
  }
  ::close(file);
  return {};
}

}  // namespace trunkline::autoscale
