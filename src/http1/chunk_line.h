// The line before each chunk, for both sides' decoders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::http1 {

enum class LineStep : unsigned char { complete, incomplete, too_long };

// Takes a line, through its LF, from the front of the input. While it is incomplete its bytes gather in `partial`,
// which is the caller's to clear behind a line that is complete.
LineStep take_line(std::string_view& input, std::string& partial, std::size_t limit_bytes, std::string_view& line);

struct ChunkLine {
  std::uint64_t size = 0;
  std::size_t extension_bytes = 0;
};

// "1f;extension" CR LF. What is wrong with it, or nothing.
std::string_view read_chunk_line(std::string_view line, ChunkLine& read);

}  // namespace trunkline::http1
