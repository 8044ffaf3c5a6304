#include "output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace trunkline::cli {

Output Output::to_file(const std::string& path) {
  Output output(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), true);
  if (output.fd_ < 0) output.failure_ = errno;
  return output;
}

Output::Output(Output&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), owns_(other.owns_), failure_(other.failure_) {}

Output::~Output() { (void)finish(); }

bool Output::write(std::string_view bytes) {
  while (!failed() && !bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody made our stdout non-blocking
      pollfd wait{fd_, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      failure_ = errno;
    }
  }
  return !failed();
}

bool Output::finish() {
  const int fd = std::exchange(fd_, owns_ ? -1 : fd_);
  if (owns_ && fd >= 0 && ::close(fd) != 0 && failure_ == 0) failure_ = errno;
  return !failed();
}

bool Output::reader_gone() const { return failure_ == EPIPE; }

std::string Output::failure() const { return std::strerror(failure_); }

}  // namespace trunkline::cli
