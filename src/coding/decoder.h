// The plain text of a coded body (RFC 9110 section 8.4): gzip, deflate, br and zstd behind one set of bounds, so that
// no coding is a way around them. Bytes in, bytes out; no I/O, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "coding/layer.h"

namespace trunkline::coding {

struct DecoderLimits {
  std::uint64_t max_output = 64 * 1024 * 1024;  // bytes of plain text; one more is an error
  std::uint64_t max_ratio = 200;                // bytes out of any layer for each byte that came over the wire
  std::uint64_t ratio_grace = 1024 * 1024;  // bytes of output before the ratio counts: a short text may be all zeros
  int max_layers = 2;                       // codings on top of each other; more than 2 counts as 2
};

// Memory, beyond the caller's buffers, that a layer takes at most; it does not depend on the body's length. Measured by
// decoder_test: gzip and deflate 48 KiB, zstd 9 MiB (its window is held to 8 MiB), br 20 MiB (its window to 16 MiB).
// Two layers also have 16 KiB between them.
class Decoder {
 public:
  // For the value of a Content-Encoding field, several joined by commas. Null: nothing is coded ("identity", or an
  // empty list). A coding that is not known is an error that names it.
  static Result<std::unique_ptr<Decoder>> make(std::string_view content_encoding, const DecoderLimits& limits);

  struct Step {
    std::size_t taken = 0;  // of the input: what is left must be offered again
    std::size_t given = 0;  // to the output
  };
  // Goes on until the input is used up or the output is full; `out` must not be empty. When the output was filled there
  // may be more to come, even without input: call again. When it was not, all of the input has been taken.
  // After an error the decoder is of no more use. Allocates at most when a coding begins.
  Result<Step> decode(std::string_view in, std::span<char> out);

  // There is no more input, and decode() has filled less than its output: was that all of the body? A body without a
  // single byte is taken for an empty text: servers label it so.
  Result<void> finish() const;

  std::uint64_t bytes_in() const { return stages_.front().taken; }

 private:
  struct Stage {
    std::unique_ptr<Layer> layer;
    std::uint64_t taken = 0;
    std::uint64_t given = 0;
    bool has_more = false;  // its last output was filled: there may be more without input
  };

  explicit Decoder(const DecoderLimits& limits) : limits_(limits) {}
  Result<Step> run(Stage& stage, std::string_view in, std::span<char> out);

  DecoderLimits limits_;
  std::vector<Stage> stages_;  // the first takes what came over the wire
  std::vector<char> between_;  // what the first has given and the second not yet taken
  std::size_t between_at_ = 0;
  std::size_t between_end_ = 0;
};

}  // namespace trunkline::coding
