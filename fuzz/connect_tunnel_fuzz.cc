// Whatever a proxy answers to CONNECT, however it is cut: the outcome is the same, what it may say is bounded, and a
// tunnel opens after the empty line of a 2xx and nowhere else. The first byte says where the answer is cut.
#include <cstdint>
#include <string>
#include <string_view>

#include "net/connect_tunnel.h"
#include "require.h"

namespace {

using trunkline::net::ConnectTunnel;

struct Outcome {
  ConnectTunnel::Step step;
  std::string failure;
  std::size_t taken;
};

Outcome run(std::string_view bytes, std::size_t piece) {
  ConnectTunnel tunnel("far.example:443", "Basic c2VjcmV0", "s3same");
  tunnel.take_output(tunnel.output().size());
  Outcome outcome{tunnel.step(), {}, 0};
  while (outcome.step == ConnectTunnel::Step::need_more && outcome.taken < bytes.size()) {
    std::string_view input = bytes.substr(outcome.taken, piece);
    const std::size_t offered = input.size();
    outcome.step = tunnel.feed(input);
    outcome.taken += offered - input.size();
    require(outcome.step != ConnectTunnel::Step::need_more || input.empty(), "wants more and left some");
    require(outcome.step != ConnectTunnel::Step::need_more || outcome.taken <= ConnectTunnel::head_limit_bytes,
            "listens without end");
  }
  outcome.failure = tunnel.failure();
  for (const char c : outcome.failure) require(c >= ' ' && c < 0x7F, "says what a terminal would act on");
  require(outcome.failure.find("c2VjcmV0") == std::string::npos, "tells the credentials");
  require(outcome.failure.find("s3same") == std::string::npos, "tells the password");
  require(outcome.failure.size() < 4 * ConnectTunnel::shown_limit_bytes + 500, "tells without end");
  require(tunnel.output().empty(), "sends more than one request");
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const Outcome by_byte = run(bytes, 1);
  const Outcome in_pieces = run(bytes, 1 + data[0]);
  require(by_byte.step == in_pieces.step, "depends on how it is cut");
  if (by_byte.step == ConnectTunnel::Step::done) {
    require(by_byte.taken == in_pieces.taken, "takes more or less when it is cut");
    require(bytes[by_byte.taken - 1] == '\n', "opens in the middle of a line");
  }
  return 0;
}
