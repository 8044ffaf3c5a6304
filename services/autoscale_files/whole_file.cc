#include "services/autoscale_files/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace trunkline::autoscale {
namespace {

Error failed(const std::string& path, std::string_view what) {
  const std::string why = std::strerror(errno);
  return {ErrorCode::invalid_options, Phase::prepare, path + ": " + std::string(what) + ": " + why};
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  bool close() {
    const int fd = fd_;
    fd_ = -1;
    return fd < 0 || ::close(fd) == 0;
  }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path, std::size_t most_bytes) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno == ENOENT) return std::optional<std::string>();
    return failed(path, "cannot be opened");
  }
  std::string out;
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, "cannot be read");
    if (got == 0) return std::optional(std::move(out));
    out.append(buffer.data(), static_cast<std::size_t>(got));
    if (out.size() > most_bytes) {
      return Error(ErrorCode::invalid_options, Phase::prepare, path + ": is larger than " + print_size(most_bytes));
    }
  }
}

Result<void> replace_file(const std::string& path, std::string_view bytes) {
  std::string beside = path + ".XXXXXX";
  File file(::mkostemp(beside.data(), O_CLOEXEC));
  if (!file.is_open()) return failed(path, "no file can be made beside it");
  const bool written = write_all(file.get(), bytes) && ::fsync(file.get()) == 0 && file.close() &&
                       std::rename(beside.c_str(), path.c_str()) == 0;
  if (!written) {
    Error error = failed(path, "cannot be replaced");
    ::unlink(beside.c_str());
    return error;
  }
  const File folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.is_open() && ::fsync(folder.get()) != 0) return failed(path, "the folder cannot be synchronised");
  return {};
}

}  // namespace trunkline::autoscale
