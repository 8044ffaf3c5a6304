// What files hold, by their SHA-256. A file is read once and afterwards only asked for its status, so that naming
// the same certificates for every request costs a system call each, and a certificate that was renewed is seen at once.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <trunkline/result.hpp>

#include "base/sha256.h"

namespace trunkline {

// Errors are `invalid_options` and begin with `field`, the setting that named the path.
Result<std::string> read_file(std::string_view field, const std::string& path);
// All certificates of a directory that OpenSSL's rehash has made, one after the other.
Result<std::string> read_certificate_directory(std::string_view field, const std::string& path);

// Thread-safe. No file is touched under its lock.
class FileDigests {
 public:
  // A file is written twice within one tick of the file system's clock and keeps its status: git calls that racily
  // clean. So a digest is kept only when the file had been left alone for `settle` before it was read.
  explicit FileDigests(std::chrono::nanoseconds settle = std::chrono::seconds(1), std::size_t most_entries = 4096);

  Result<Sha256::Digest> file(std::string_view field, const std::string& path);
  // Over the names and contents of what OpenSSL would find there.
  Result<Sha256::Digest> certificate_directory(std::string_view field, const std::string& path);

  std::uint64_t files_read() const;  // so far; a hit adds nothing

 private:
  struct Signature {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Signature&, const Signature&) = default;
  };
  struct Entry {
    Signature signature;
    Sha256::Digest digest{};
    std::vector<std::string> names;  // of a directory
  };

  static Signature signature_of(const struct stat& status);
  bool settled(const Signature& signature, std::int64_t read_at_ns) const;
  bool find(const std::string& path, const Signature& signature, Entry& found) const;
  void keep(const std::string& path, Entry entry);

  const std::chrono::nanoseconds settle_;
  const std::size_t most_entries_;
  mutable std::mutex mutex_;  // below
  std::unordered_map<std::string, Entry> entries_;
  std::uint64_t files_read_ = 0;
};

}  // namespace trunkline
