// Whole, byte by byte and cut in two, the same bytes must tell the same story, and a decoder's messages stay within its
// limits. The first byte chooses the role, the limits and compression. Then a connection answers the same bytes: what
// it says must be frames that its peer accepts, and never many.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_by_byte.h"
#include "websocket/connection.h"
#include "websocket/transcript.h"

namespace {

using namespace trunkline::websocket;

void require_same(const std::string& whole, const std::string& other, const char* how) {
  if (whole == other) return;
  std::fprintf(stderr, "whole: %s\n%s: %s\n", whole.c_str(), how, other.c_str());
  std::abort();
}

void require_good_answers(std::string_view bytes, const TranscriptSetup& setup) {
  const trunkline::TimePoint now{std::chrono::seconds(1)};
  Settings settings;
  settings.limits = setup.limits;
  Connection connection(setup.role, settings, setup.deflate, now);
  for (auto event = connection.next(bytes, now); event == Connection::Event::message;) {
    if (connection.take_message().size() > setup.limits.message_bytes) std::abort();
    event = connection.next(bytes, now);
  }
  const std::string said(connection.output());
  if (said.size() > 2 * (largest_control_payload + 8)) std::abort();  // a PONG, and a close
  connection.sent(said.size(), now);
  MessageDecoder peer(setup.role == Role::client ? Role::server : Role::client, {}, {});
  std::string_view rest = said;
  for (auto event = MessageDecoder::Event::ping; event != MessageDecoder::Event::need_more && !rest.empty();) {
    event = peer.next(rest);
    if (event == MessageDecoder::Event::error) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  TranscriptSetup setup;
  setup.role = (data[0] & 1) != 0 ? Role::server : Role::client;
  if ((data[0] & 2) != 0) setup.limits = {.frame_bytes = 200, .message_bytes = 300, .fragments = 4};
  if ((data[0] & 4) != 0) {
    setup.deflate = DeflateParameters{.keep_peer_window = (data[0] & 8) != 0};
    setup.limits.message_bytes = std::min<std::size_t>(setup.limits.message_bytes, 100'000);
    setup.codes = false;  // which of two faults shows first depends on how much is decompressed at once
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const std::string whole = transcript({bytes}, setup);
  require_same(whole, transcript(trunkline::byte_by_byte(bytes), setup), "byte by byte");
  const std::size_t step = bytes.size() / 64 + 1;
  for (std::size_t cut = 1; cut < bytes.size(); cut += step) {
    // Each in its own memory, so that AddressSanitizer sees a view that outlives its piece.
    const std::vector<char> first(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    const std::vector<char> second(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end());
    require_same(whole, transcript({{first.data(), first.size()}, {second.data(), second.size()}}, setup), "cut");
  }
  require_good_answers(bytes, setup);
  return 0;
}
