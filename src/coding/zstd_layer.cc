#include <zstd.h>
#include <zstd_errors.h>

#include "coding/layer.h"

namespace trunkline::coding {
namespace {

// RFC 9659: with HTTP a window of more than 8 MiB is refused. Frames may follow each other (RFC 8878 section 3).
constexpr int window_log_limit = 23;

class ZstdLayer final : public Layer {
 public:
  ZstdLayer() : context_(ZSTD_createDCtx()) {
    if (context_ != nullptr) ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log_limit);
  }
  ~ZstdLayer() override { ZSTD_freeDCtx(context_); }
  ZstdLayer(const ZstdLayer&) = delete;
  ZstdLayer& operator=(const ZstdLayer&) = delete;

  std::string_view name() const override { return "zstd"; }
  bool complete() const override { return at_end_; }

  const char* decode(std::string_view& in, std::span<char>& out) override {
    if (context_ == nullptr) return "cannot be decoded: there is no memory for it";
    // Between two frames there is nothing to flush, and zstd takes idle calls for a mistake.
    while (!out.empty() && !(in.empty() && at_end_)) {
      ZSTD_inBuffer input{in.data(), in.size(), 0};
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const std::size_t result = ZSTD_decompressStream(context_, &output, &input);
      in.remove_prefix(input.pos);
      out = out.subspan(output.pos);
      if (ZSTD_isError(result) != 0) return problem(ZSTD_getErrorCode(result));
      at_end_ = result == 0;
      was_complete_ = was_complete_ || at_end_;
      if (in.empty()) break;
    }
    return nullptr;
  }

 private:
  const char* problem(ZSTD_ErrorCode code) const {
    switch (code) {
      case ZSTD_error_frameParameter_windowTooLarge:
        return "needs a window of more than 8 MiB, which HTTP does not allow";
      case ZSTD_error_dictionary_wrong:
        return "needs a dictionary that was not agreed on";
      case ZSTD_error_memory_allocation:
        return "cannot be decoded: there is no memory for it";
      case ZSTD_error_prefix_unknown:
        return was_complete_ ? "has bytes behind its end that are not zstd" : "does not begin as zstd does";
      default:
        return "is damaged: what came is not what the server compressed, or it was not compressed at all";
    }
  }

  ZSTD_DCtx* context_;
  bool at_end_ = false;
  bool was_complete_ = false;
};

}  // namespace

std::unique_ptr<Layer> make_zstd() { return std::make_unique<ZstdLayer>(); }

}  // namespace trunkline::coding
