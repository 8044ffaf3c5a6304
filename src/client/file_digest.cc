#include "client/file_digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace trunkline {
namespace {

// Larger than any bundle of certificates; what is longer is a mistake, and is not read into memory.
constexpr std::size_t file_limit_bytes = 16 * 1024 * 1024;

Error cannot_read(std::string_view field, const std::string& path, const std::string& why) {
  return {ErrorCode::invalid_options, Phase::prepare,
          std::string(field) + ": cannot read \"" + printable(path) + "\": " + why};
}

Error cannot_read(std::string_view field, const std::string& path, int error) {
  return cannot_read(field, path, std::generic_category().message(error));
}

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);  // the clock that files are stamped with
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Reading {
  std::string bytes;
  struct stat before{};
  struct stat after{};
};

// A path with a NUL would name another file to the system than to whoever reads it.
bool has_nul(const std::string& path) { return path.find('\0') != std::string::npos; }

Result<Reading> read_whole(std::string_view field, const std::string& path) {
  if (has_nul(path)) return cannot_read(field, path, "the path holds a NUL");
  // Without O_NONBLOCK, opening a FIFO would wait for its writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  Reading reading;
  if (file.get() < 0 || ::fstat(file.get(), &reading.before) != 0) return cannot_read(field, path, errno);
  if (!S_ISREG(reading.before.st_mode)) return cannot_read(field, path, "it is not a regular file");
  std::string& bytes = reading.bytes;
  bytes.resize(std::min(static_cast<std::size_t>(reading.before.st_size), file_limit_bytes) + 1);
  std::size_t length = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), bytes.data() + length, bytes.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannot_read(field, path, errno);
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
    if (length > file_limit_bytes) return cannot_read(field, path, "it is larger than " + print_size(file_limit_bytes));
    if (length == bytes.size()) bytes.resize(std::min(bytes.size() * 2, file_limit_bytes + 1));
  }
  bytes.resize(length);
  if (::fstat(file.get(), &reading.after) != 0) return cannot_read(field, path, errno);
  return reading;
}

// "1f2e3d4c.0": what OpenSSL looks for, by the hash of a certificate's subject. Its revocation lists ("1f2e3d4c.r0")
// are not used without further settings.
bool is_hashed_name(std::string_view name) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return name.size() > 9 && name[8] == '.' && std::all_of(name.begin(), name.begin() + 8, is_hex) &&
         std::all_of(name.begin() + 9, name.end(), is_digit);
}

Result<std::vector<std::string>> list_hashed_names(std::string_view field, const std::string& path) {
  if (has_nul(path)) return cannot_read(field, path, "the path holds a NUL");
  const auto close = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir(path.c_str()), close);
  if (!directory) return cannot_read(field, path, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    if (is_hashed_name(entry->d_name)) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return cannot_read(field, path, errno);
  if (names.empty()) {
    return cannot_read(field, path, "it holds no certificate under a hashed name; run \"openssl rehash\" on it");
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string inside(const std::string& directory, const std::string& name) {
  std::string path = directory;
  path += '/';
  path += name;
  return path;
}

// Links to certificates that were removed are usual in such directories, and OpenSSL steps over them too.
bool is_dangling(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) != 0 && errno == ENOENT;
}

}  // namespace

Result<std::string> read_file(std::string_view field, const std::string& path) {
  auto reading = read_whole(field, path);
  if (!reading) return reading.error();
  return std::move(reading->bytes);
}

Result<std::string> read_certificate_directory(std::string_view field, const std::string& path) {
  auto names = list_hashed_names(field, path);
  if (!names) return names.error();
  std::string all;
  for (const std::string& name : *names) {
    const std::string file = inside(path, name);
    if (is_dangling(file)) continue;
    auto bytes = read_file(field, file);
    if (!bytes) return bytes.error();
    all += *bytes;
    all += '\n';  // PEM without a last line feed would run into the next one's first line
  }
  return all;
}

FileDigests::FileDigests(std::chrono::nanoseconds settle, std::size_t most_entries)
    : settle_(settle), most_entries_(most_entries) {}

FileDigests::Signature FileDigests::signature_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

bool FileDigests::settled(const Signature& signature, std::int64_t read_at_ns) const {
  return read_at_ns - std::max(signature.modified_ns, signature.changed_ns) >= settle_.count();
}

bool FileDigests::find(const std::string& path, const Signature& signature, Entry& found) const {
  std::lock_guard lock(mutex_);
  const auto at = entries_.find(path);
  if (at == entries_.end() || at->second.signature != signature) return false;
  found = at->second;
  return true;
}

void FileDigests::keep(const std::string& path, Entry entry) {
  std::lock_guard lock(mutex_);
  // A program that names ever new files gains nothing from a cache: it starts anew, and memory stays bounded.
  if (entries_.size() >= most_entries_ && !entries_.contains(path)) entries_.clear();
  entries_.insert_or_assign(path, std::move(entry));
}

Result<Sha256::Digest> FileDigests::file(std::string_view field, const std::string& path) {
  struct stat status{};
  if (has_nul(path)) return cannot_read(field, path, "the path holds a NUL");
  if (::stat(path.c_str(), &status) != 0) return cannot_read(field, path, errno);
  Entry entry;
  if (find(path, signature_of(status), entry)) return entry.digest;

  const std::int64_t read_at = now_ns();
  auto reading = read_whole(field, path);
  if (!reading) return reading.error();
  entry.signature = signature_of(reading->before);
  entry.digest = sha256(reading->bytes);
  {
    std::lock_guard lock(mutex_);
    ++files_read_;
  }
  // Changed while it was read: what we have may be half of each, and is not remembered.
  if (entry.signature == signature_of(reading->after) && settled(entry.signature, read_at)) keep(path, entry);
  return entry.digest;
}

Result<Sha256::Digest> FileDigests::certificate_directory(std::string_view field, const std::string& path) {
  struct stat status{};
  if (has_nul(path)) return cannot_read(field, path, "the path holds a NUL");
  if (::stat(path.c_str(), &status) != 0) return cannot_read(field, path, errno);
  Entry listing;
  listing.signature = signature_of(status);
  if (!find(path, listing.signature, listing)) {
    const std::int64_t read_at = now_ns();
    auto names = list_hashed_names(field, path);
    if (!names) return names.error();
    listing.names = std::move(*names);
    if (settled(listing.signature, read_at)) keep(path, listing);
  }
  std::string digests;
  for (const std::string& name : listing.names) {
    const std::string at = inside(path, name);
    auto digest = file(field, at);
    if (!digest && is_dangling(at)) continue;
    if (!digest) return digest.error();
    digests += name;
    digests += '\0';  // no file name holds one, so names and digests cannot run into each other
    digests.append(reinterpret_cast<const char*>(digest->data()), digest->size());
  }
  return sha256(digests);
}

std::uint64_t FileDigests::files_read() const {
  std::lock_guard lock(mutex_);
  return files_read_;
}

}  // namespace trunkline
