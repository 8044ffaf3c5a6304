#include <brotli/decode.h>

#include <cstdint>

#include "coding/layer.h"

namespace trunkline::coding {
namespace {

// The window is at most 16 MiB: the format's larger ones are off unless asked for (RFC 7932 section 9.1).
class BrotliLayer final : public Layer {
 public:
  BrotliLayer() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  ~BrotliLayer() override { BrotliDecoderDestroyInstance(state_); }
  BrotliLayer(const BrotliLayer&) = delete;
  BrotliLayer& operator=(const BrotliLayer&) = delete;

  std::string_view name() const override { return "br"; }
  bool complete() const override { return at_end_; }

  const char* decode(std::string_view& in, std::span<char>& out) override {
    if (state_ == nullptr) return "cannot be decoded: there is no memory for it";
    if (at_end_) return in.empty() ? nullptr : "has bytes behind its end";
    std::size_t input = in.size();
    std::size_t room = out.size();
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(out.data());
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state_, &input, &next_in, &room, &next_out, nullptr);
    in.remove_prefix(in.size() - input);
    out = out.subspan(out.size() - room);
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        at_end_ = true;
        return in.empty() ? nullptr : "has bytes behind its end";
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return nullptr;
      case BROTLI_DECODER_RESULT_ERROR:
        break;
    }
    return "is damaged: what came is not what the server compressed, or it was not compressed at all";
  }

 private:
  BrotliDecoderState* state_;
  bool at_end_ = false;
};

}  // namespace

std::unique_ptr<Layer> make_brotli() { return std::make_unique<BrotliLayer>(); }

}  // namespace trunkline::coding
