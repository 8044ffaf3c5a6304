// A small file that is read again when it changes: a token, a password, a list of targets. What it looks at is cheap
// (one stat), so it may be asked as often as one likes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <trunkline/result.hpp>

namespace trunkline::scrape {

class WatchedFile {
 public:
  WatchedFile(std::string path, std::size_t most_bytes) : path_(std::move(path)), most_bytes_(most_bytes) {}

  // Reads the file if it is another one than last time (device, inode, size or time). True when it was read or when
  // reading failed; then `text()` says what came of it.
  bool refresh();
  const Result<std::string>& text() const { return text_; }
  const std::string& path() const { return path_; }

 private:
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified = 0;
    std::int64_t changed = 0;
    bool operator==(const Stamp&) const = default;
  };

  std::string path_;
  std::size_t most_bytes_;
  std::optional<Stamp> seen_;  // none: not read yet, or it could not be
  Result<std::string> text_ = std::string();
};

}  // namespace trunkline::scrape
