// Whatever a proxy answers, however it is cut: the outcome is the same, the answer is bounded, and nothing beyond the
// proxy's last word is taken. The first byte chooses credentials and where the answer is cut.
#include <cstdint>
#include <string>
#include <string_view>

#include "net/socks5.h"
#include "require.h"

namespace {

using trunkline::net::Socks5;

constexpr std::size_t longest_answers = 2 + 2 + 4 + 1 + 255 + 2;

struct Outcome {
  Socks5::Step step;
  std::string failure;
  std::string sent;
  std::size_t taken;

  bool operator==(const Outcome&) const = default;
};

Outcome run(bool with_login, std::string_view bytes, std::size_t piece) {
  Socks5 socks("far.example", 443, with_login ? Socks5::Credentials{"user", "secret"} : Socks5::Credentials());
  Outcome outcome{socks.step(), {}, {}, 0};
  do {
    outcome.sent += socks.output();
    socks.take_output(socks.output().size());
    std::string_view input = bytes.substr(outcome.taken, piece);
    const std::size_t offered = input.size();
    outcome.step = socks.feed(input);
    outcome.taken += offered - input.size();
    require(outcome.step != Socks5::Step::need_more || input.empty(), "wants more and left some");
  } while (outcome.step == Socks5::Step::need_more && outcome.taken < bytes.size());
  outcome.sent += socks.output();
  outcome.failure = socks.failure();
  require(outcome.taken <= longest_answers, "takes more than an answer can hold");
  require(outcome.failure.find("secret") == std::string::npos, "tells the password");
  require((outcome.step == Socks5::Step::failed) == !outcome.failure.empty(), "fails without a word");
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool with_login = (data[0] & 1) != 0;
  const std::size_t piece = 1 + (data[0] >> 1);
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  Outcome by_byte = run(with_login, bytes, 1);
  Outcome in_pieces = run(with_login, bytes, piece);
  require(by_byte.step == in_pieces.step && by_byte.failure == in_pieces.failure, "depends on how it is cut");
  if (by_byte.step == Socks5::Step::done) require(by_byte == in_pieces, "takes more or less when it is cut");
  return 0;
}
