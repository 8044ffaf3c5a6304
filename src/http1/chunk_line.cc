#include "http1/chunk_line.h"

#include <algorithm>
#include <cstring>

#include "base/characters.h"

namespace trunkline::http1 {

LineStep take_line(std::string_view& input, std::string& partial, std::size_t limit_bytes, std::string_view& line) {
  const std::size_t room = limit_bytes - std::min(limit_bytes, partial.size());
  const std::size_t searched = std::min(input.size(), room);
  const void* const lf = searched == 0 ? nullptr : std::memchr(input.data(), '\n', searched);
  if (lf == nullptr && input.size() > room) return LineStep::too_long;
  const std::size_t size =
      lf == nullptr ? input.size() : static_cast<std::size_t>(static_cast<const char*>(lf) - input.data()) + 1;
  line = input.substr(0, size);
  input.remove_prefix(size);
  if (lf == nullptr || !partial.empty()) {
    partial += line;
    line = partial;
  }
  return lf == nullptr ? LineStep::incomplete : LineStep::complete;
}

std::string_view read_chunk_line(std::string_view line, ChunkLine& read) {
  if (line.size() < 2 || line[line.size() - 2] != '\r') return "a chunk-size line does not end in CR LF";
  line.remove_suffix(2);
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < line.size(); ++digits) {
    const int digit = hex_value(line[digits]);
    if (digit < 0) break;
    if (size >> 60 != 0) return "a chunk size does not fit in 64 bits";
    size = size << 4 | static_cast<unsigned>(digit);
  }
  const std::string_view extension = line.substr(digits);
  if (digits == 0 || (!extension.empty() && extension.front() != ';')) {
    return "a chunk size is not a plain hexadecimal number";
  }
  const char* const end = extension.data() + extension.size();
  if (find_control(extension.data(), end) != end) return "a chunk extension holds a control character";
  read = {size, extension.size()};
  return {};
}

}  // namespace trunkline::http1
