#include "net/hosts_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <fstream>

namespace trunkline::net {
namespace {

constexpr std::size_t text_limit = 4 << 20;
constexpr std::size_t addresses_of_a_name = 64;

std::string_view next_word(std::string_view& line) {
  constexpr std::string_view blanks = " \t\r\f\v";
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

bool same_name(std::string_view one, std::string_view other) {
  if (one.ends_with('.')) one.remove_suffix(1);
  if (other.ends_with('.')) other.remove_suffix(1);
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

bool names(std::string_view line, std::string_view name) {
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    if (same_name(word, name)) return true;
  }
  return false;
}

}  // namespace

std::vector<Address> find_in_hosts(std::string_view text, std::string_view name) {
  std::vector<Address> found;
  while (!text.empty() && found.size() < addresses_of_a_name) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::string_view ip = next_word(line);
    Address address;
    if (ip.empty() || !names(line, name) || !Address::parse(ip, 0, address)) continue;
    if (std::find(found.begin(), found.end(), address) == found.end()) found.push_back(address);
  }
  return found;
}

FileStamp FileStamp::of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

// Leaves the text as it was when the file cannot be opened: for want of a descriptor, that passes.
bool HostsFile::read(const std::string& path, const FileStamp& stamp) {
  if (stamp == FileStamp()) return true;
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  text_.resize(std::min(text_limit, static_cast<std::size_t>(std::max<std::int64_t>(stamp.size, 0))));
  file.read(text_.data(), static_cast<std::streamsize>(text_.size()));
  text_.resize(static_cast<std::size_t>(file.gcount()));
  return true;
}

std::vector<Address> HostsFile::find(const std::string& path, std::string_view name) {
  const FileStamp stamp = FileStamp::of(path);
  if (path != path_ || stamp != stamp_) {
    if (path != path_ || stamp == FileStamp()) text_.clear();
    path_ = path;
    stamp_.reset();
    if (read(path, stamp)) stamp_ = stamp;
  }
  return find_in_hosts(text_, name);
}

}  // namespace trunkline::net
