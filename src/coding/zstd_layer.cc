#include <zstd.h>
#include <zstd_errors.h>

#include "coding/layer.h"

namespace trunkline::coding {
namespace {

// RFC 9659: with HTTP a window of more than 8 MiB is refused. Frames may follow each other (RFC 8878 section 3).
constexpr int window_log_limit = 23;

// Frames and skippable frames begin with 28 or 5x. The library as distributions build it also reads what zstd wrote
// before version 0.8, with decoders that do not know of that limit, and only where the first four bytes come in one
// piece.
bool begins_frame(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte == 0x28 || (byte & 0xF0) == 0x50;
}

class ZstdLayer final : public Layer {
 public:
  ZstdLayer() : context_(ZSTD_createDCtx()) {
    if (context_ != nullptr) ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log_limit);
  }
  ~ZstdLayer() override { ZSTD_freeDCtx(context_); }
  ZstdLayer(const ZstdLayer&) = delete;
  ZstdLayer& operator=(const ZstdLayer&) = delete;

  std::string_view name() const override { return "zstd"; }
  bool complete() const override { return frames_ > 0 && between_frames_; }

  const char* decode(std::string_view& in, std::span<char>& out) override {
    if (context_ == nullptr) return "cannot be decoded: there is no memory for it";
    // Between two frames there is nothing to flush, and zstd takes idle calls for a mistake.
    while (!out.empty() && !(in.empty() && between_frames_)) {
      if (between_frames_ && !begins_frame(in.front())) return not_a_frame();
      ZSTD_inBuffer input{in.data(), in.size(), 0};
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const std::size_t result = ZSTD_decompressStream(context_, &output, &input);
      in.remove_prefix(input.pos);
      out = out.subspan(output.pos);
      if (ZSTD_isError(result) != 0) return problem(ZSTD_getErrorCode(result));
      between_frames_ = result == 0;
      if (between_frames_) ++frames_;
      if (in.empty()) break;
    }
    return nullptr;
  }

 private:
  const char* not_a_frame() const {
    return frames_ > 0 ? "has bytes behind its end that are not zstd" : "does not begin as zstd does";
  }
  const char* problem(ZSTD_ErrorCode code) const {
    switch (code) {
      case ZSTD_error_frameParameter_windowTooLarge:
        return "needs a window of more than 8 MiB, which HTTP does not allow";
      case ZSTD_error_dictionary_wrong:
        return "needs a dictionary that was not agreed on";
      case ZSTD_error_memory_allocation:
        return "cannot be decoded: there is no memory for it";
      case ZSTD_error_prefix_unknown:
        return not_a_frame();
      default:
        return "is damaged: what came is not what the server compressed, or it was not compressed at all";
    }
  }

  ZSTD_DCtx* context_;
  bool between_frames_ = true;
  std::size_t frames_ = 0;  // that came whole
};

}  // namespace

std::unique_ptr<Layer> make_zstd() { return std::make_unique<ZstdLayer>(); }

}  // namespace trunkline::coding
