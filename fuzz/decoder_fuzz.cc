// Whatever the bytes, the decoder stays within its limits, and gives the same text and the same end however they are
// cut. The first byte chooses the codings.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "coding/decoder.h"

namespace {

using trunkline::coding::Decoder;
using trunkline::coding::DecoderLimits;

constexpr std::array<std::string_view, 10> fields = {
    "gzip", "deflate", "br", "zstd", "gzip, br", "br, gzip", "zstd, deflate", "deflate, zstd", "gzip, gzip", "br, br"};
constexpr std::size_t most_bytes = 256 * 1024;

// The text, and "ok" or why it ended.
struct Outcome {
  std::string text;
  std::string end;
};

Outcome decode(std::string_view field, std::string_view bytes, std::size_t piece, std::size_t room) {
  DecoderLimits limits;
  limits.max_output = most_bytes;
  limits.max_ratio = UINT64_MAX;  // where the ratio is reached depends on how the output is cut
  auto decoder = Decoder::make(field, limits);
  if (!decoder || !*decoder) std::abort();
  Outcome outcome;
  std::vector<char> out(room);
  for (;;) {
    const std::vector<char> own(bytes.begin(),
                                bytes.begin() + static_cast<std::ptrdiff_t>(std::min(piece, bytes.size())));
    auto step = (*decoder)->decode({own.data(), own.size()}, out);
    if (!step) {
      outcome.end = trunkline::to_string(step.error().code);
      return outcome;
    }
    if (step->taken > own.size() || step->given > out.size()) std::abort();
    if (step->given < out.size() && step->taken != own.size()) std::abort();
    outcome.text.append(out.data(), step->given);
    if (outcome.text.size() > most_bytes) std::abort();
    bytes.remove_prefix(step->taken);
    if (bytes.empty() && step->given < out.size()) break;
  }
  outcome.end = (*decoder)->finish() ? "ok" : "truncated";
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view field = fields[data[0] % fields.size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = decode(field, bytes, SIZE_MAX, 64 * 1024);
  // Text that comes together with an error is lost, and how much that is depends on the cut.
  const auto agrees = [&](const Outcome& other) {
    if (whole.end != other.end) return false;
    if (whole.end == "ok" || whole.end == "truncated") return whole.text == other.text;
    return whole.text.starts_with(other.text) || other.text.starts_with(whole.text);
  };
  for (const auto& [piece, room] : {std::pair<std::size_t, std::size_t>{1, 64 * 1024}, {7, 100}, {SIZE_MAX, 1000}}) {
    const Outcome other = decode(field, bytes, piece, room);
    if (agrees(other)) continue;
    std::fprintf(stderr, "%s: whole: %zu bytes, %s; in pieces of %zu into %zu: %zu bytes, %s\n",
                 std::string(field).c_str(), whole.text.size(), whole.end.c_str(), piece, room, other.text.size(),
                 other.end.c_str());
    std::abort();
  }
  return 0;
}
