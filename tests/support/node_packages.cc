#include "support/node_packages.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "support/process.h"

namespace trunkline::test {
namespace {

namespace fs = std::filesystem;

// Held by one process at a time, until the end of the scope.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) throw std::runtime_error("cannot lock " + path.string());
  }
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

void install(const fs::path& from, const fs::path& folder) {
  const fs::path lock = folder / "package-lock.json";
  if (fs::exists(folder / "node_modules" / "ws") && read_file(lock) == read_file(from / "package-lock.json")) return;
  for (const char* name : {"package.json", "package-lock.json"}) {
    fs::copy_file(from / name, folder / name, fs::copy_options::overwrite_existing);
  }
  Process npm({"npm", "ci", "--prefix", folder.string(), "--no-audit", "--no-fund", "--ignore-scripts"});
  std::string output;
  if (npm.wait(&output) != 0) throw std::runtime_error("npm ci failed: " + output);
}

}  // namespace

std::string node_program(const std::string& name) {
  const fs::path from = fs::path(TRUNKLINE_TESTS_DIR) / "node";
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path() / "node";
  fs::create_directories(folder);
  const FileLock alone(folder / ".lock");
  install(from, folder);
  // Only where it has changed: another test's node may be reading it.
  const fs::path program = folder / name;
  if (!fs::exists(program) || read_file(program) != read_file(from / name)) {
    fs::copy_file(from / name, program, fs::copy_options::overwrite_existing);
  }
  return program.string();
}

}  // namespace trunkline::test
