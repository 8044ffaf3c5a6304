// An event stream gives the same events however it is cut, and nothing beyond its limits. The first byte chooses them.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sse/event_parser.h"

namespace {

std::string transcript(std::string_view bytes, std::size_t piece, const trunkline::EventLimits& limits) {
  trunkline::sse::EventParser parser(limits);
  std::string all;
  while (!bytes.empty()) {
    // In memory of its own, so that AddressSanitizer sees a view that outlives its piece.
    const std::vector<char> own(bytes.begin(),
                                bytes.begin() + static_cast<std::ptrdiff_t>(std::min(piece, bytes.size())));
    bytes.remove_prefix(own.size());
    std::string_view in(own.data(), own.size());
    for (;;) {
      auto event = parser.next(in);
      if (!event) return all + "error";
      if (!*event) break;
      if ((*event)->data.size() > limits.event_bytes || (*event)->type.size() > limits.line_bytes ||
          (*event)->id.size() > limits.line_bytes) {
        std::abort();
      }
      for (const std::string* part : {&(*event)->type, &(*event)->data, &(*event)->id}) {
        all += std::to_string(part->size()) + ':' + *part;
      }
    }
    if (!in.empty()) std::abort();
  }
  return all + parser.last_event_id() + std::to_string(parser.retry().value_or(std::chrono::milliseconds(-1)).count());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  trunkline::EventLimits limits;
  if ((data[0] & 1) != 0) limits = {.line_bytes = 12, .event_bytes = 20};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = transcript(bytes, SIZE_MAX, limits);
  for (const std::size_t piece : {1, 2, 3, 17}) {
    const std::string other = transcript(bytes, piece, limits);
    if (whole == other) continue;
    std::fprintf(stderr, "whole: %s\nin pieces of %zu: %s\n", whole.c_str(), piece, other.c_str());
    std::abort();
  }
  return 0;
}
