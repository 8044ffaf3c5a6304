// Whole, byte by byte and cut in two, the same bytes must give the same events; nothing is read past an input, and what
// the decoder gives out stays within its limits. The first byte chooses the request and the limits.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_by_byte.h"
#include "http1/decoder_transcript.h"

namespace {

using trunkline::http1::transcript;

void require_same(const std::string& whole, const std::string& other, const char* how) {
  if (whole == other) return;
  std::fprintf(stderr, "whole: %s\n%s: %s\n", whole.c_str(), how, other.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  trunkline::http1::TranscriptSetup setup;
  setup.request.head = (data[0] & 1) != 0;
  setup.request.connect = (data[0] & 2) != 0;
  setup.request.upgrade = (data[0] & 4) != 0;
  setup.closes = (data[0] & 8) == 0;
  if ((data[0] & 16) != 0) setup.limits = {200, 60, 6, 2, 20, 30};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const std::string whole = transcript({bytes}, setup);
  require_same(whole, transcript(trunkline::byte_by_byte(bytes), setup), "byte by byte");
  // Each cut in its own memory, so that AddressSanitizer sees a view that outlives its piece. All cuts of small inputs,
  // some of large ones: time is better spent on more inputs.
  const std::size_t step = bytes.size() / 64 + 1;
  for (std::size_t cut = 1; cut < bytes.size(); cut += step) {
    const std::vector<char> first(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    const std::vector<char> second(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end());
    require_same(whole, transcript({{first.data(), first.size()}, {second.data(), second.size()}}, setup), "cut");
  }
  // Bounded: the transcript repeats heads (which the limits bound) and data (which the input bounds), nothing more.
  if (whole.size() > 64 * 1024 + 12 * bytes.size() + 1024) std::abort();
  return 0;
}
