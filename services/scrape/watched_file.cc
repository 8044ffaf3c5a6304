#include "services/scrape/watched_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace trunkline::scrape {
namespace {

Error failure(const std::string& path, const std::string& why) {
  return {ErrorCode::invalid_options, Phase::prepare, "the file " + printable(path) + " cannot be read: " + why};
}

// The whole file at once: whoever writes it in place is caught half-way at worst for one round.
Result<std::string> read_all(int fd, const std::string& path, std::size_t most_bytes) {
  std::string text;
  for (;;) {
    const std::size_t before = text.size();
    constexpr std::size_t piece = 64 * 1024;
    text.resize(before + piece);
    const ssize_t got = read(fd, text.data() + before, piece);
    if (got < 0 && errno != EINTR) return failure(path, std::strerror(errno));
    text.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    if (text.size() > most_bytes) return failure(path, "it is longer than " + print_size(most_bytes));
    if (got == 0) return text;
  }
}

}  // namespace

bool WatchedFile::refresh() {
  // Not blocking, for a path that turns out to be a pipe.
  const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat found{};
  if (fd < 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
    text_ = failure(path_, fd < 0 ? std::strerror(errno) : "it is no regular file");
    if (fd >= 0) close(fd);
    seen_.reset();
    return true;
  }
  constexpr std::int64_t second = 1'000'000'000;
  const Stamp stamp{found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec * second + found.st_mtim.tv_nsec,
                    found.st_ctim.tv_sec * second + found.st_ctim.tv_nsec};
  const bool changed = seen_ != stamp;
  if (changed) {
    text_ = read_all(fd, path_, most_bytes_);
    if (text_) {
      seen_ = stamp;
    } else {
      seen_.reset();
    }
  }
  close(fd);
  return changed;
}

}  // namespace trunkline::scrape
