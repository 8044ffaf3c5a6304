#include "output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace trunkline::cli {

Output Output::to_file(const std::string& path) {
  Output output(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), true);
  if (output.fd_ < 0) output.failure_ = errno;
  return output;
}

Output Output::replacing(const std::string& path) {
  struct stat found{};
  const bool exists = ::stat(path.c_str(), &found) == 0;
  if (exists && !S_ISREG(found.st_mode)) return to_file(path);
  // Through a symbolic link, which stays.
  std::error_code failure;
  const std::string real = exists ? std::filesystem::canonical(path, failure).string() : path;
  std::string beside = (failure ? path : real) + "." + std::to_string(::getpid()) + ".new";
  Output output(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, exists ? found.st_mode & 0777 : 0666),
                true);
  if (output.fd_ < 0) {
    output.failure_ = errno;
  } else {
    output.path_ = failure ? path : real;
    output.beside_ = std::move(beside);
  }
  return output;
}

Output::Output(Output&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      owns_(other.owns_),
      path_(std::move(other.path_)),
      beside_(std::exchange(other.beside_, {})),
      failure_(other.failure_) {}

Output::~Output() {
  if (owns_ && fd_ >= 0) ::close(fd_);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

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
  if (!beside_.empty() && !failed()) {
    if (::rename(beside_.c_str(), path_.c_str()) == 0) {
      beside_.clear();
    } else {
      failure_ = errno;
    }
  }
  return !failed();
}

bool Output::reader_gone() const { return failure_ == EPIPE; }

std::string Output::failure() const { return std::strerror(failure_); }

}  // namespace trunkline::cli
