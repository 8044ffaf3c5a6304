// A chunked body up to its trailers, for both sides' decoders. What is wrong depends on nothing but the bytes; what it
// means, a broken peer or a status to answer with, is the decoder's to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::http1 {

// Of a body or of a chunk, of which so many bytes are still to come.
std::string_view take_data(std::string_view& input, std::uint64_t& remaining);

struct ChunkLimits {
  std::size_t line_bytes = 0;       // a chunk-size line with its extensions
  std::size_t extension_bytes = 0;  // extensions of one message together
};

class ChunkedBody {
 public:
  enum class Event : unsigned char {
    need_more,  // all input was consumed
    data,       // data() holds bytes of the body, a view into the input
    end,        // the last chunk; trailers follow
    malformed,  // problem() says what; for this and what follows
    line_limit,
    extension_limit,
    body_limit,  // a chunk is larger than limit() leaves room for; nothing of it was taken
  };

  // No more bytes of the body than that, from here on.
  void limit(std::uint64_t room) { room_ = room; }
  // The bytes of a line that is incomplete are kept in `partial`, which is empty between lines.
  Event next(std::string_view& input, std::string& partial, const ChunkLimits& limits);

  std::string_view data() const { return data_; }
  std::uint64_t remaining() const { return remaining_; }  // of the chunk, still to come
  std::string problem(Event event, const ChunkLimits& limits) const;

 private:
  enum class State : unsigned char { size, data, cr, lf };  // what comes next; the last two stand behind a chunk

  Event next_size(std::string_view& input, std::string& partial, const ChunkLimits& limits);

  State state_ = State::size;
  std::string_view data_;
  std::string_view malformed_;
  std::uint64_t remaining_ = 0;
  std::uint64_t room_ = UINT64_MAX;
  std::size_t extension_bytes_ = 0;
};

}  // namespace trunkline::http1
