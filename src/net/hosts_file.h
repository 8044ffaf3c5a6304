// /etc/hosts: addresses that the machine's owner gave to names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace trunkline::net {

// All addresses on the lines that name it, in their order. Upper and lower case mean the same.
std::vector<Address> find_in_hosts(std::string_view text, std::string_view name);

// Tells a file from what it was: another inode, size or time of change.
struct FileStamp {
  std::uint64_t inode = 0;
  std::int64_t size = -1;
  std::int64_t changed_ns = 0;

  static FileStamp of(const std::string& path);  // a missing file has a stamp too
  bool operator==(const FileStamp&) const = default;
};

// Kept in memory and read again when it has changed. Of one thread.
class HostsFile {
 public:
  // Empty when there is no such file. One that cannot be opened now is as it was, and is tried again with the next
  // name. Of a file over 4 MiB only the beginning counts.
  std::vector<Address> find(const std::string& path, std::string_view name);

 private:
  bool read(const std::string& path, const FileStamp& stamp);

  std::string path_;
  std::optional<FileStamp> stamp_;  // of what was read
  std::string text_;
};

}  // namespace trunkline::net
