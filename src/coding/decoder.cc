#include "coding/decoder.h"

#include <algorithm>
#include <cassert>

#include <trunkline/headers.hpp>

#include "base/characters.h"
#include "base/text.h"

namespace trunkline::coding {
namespace {

constexpr std::size_t between_bytes = 16 * 1024;

// What a caller can always do.
constexpr std::string_view way_out = "; with an Accept-Encoding of your own the body comes as the server sends it";

constexpr std::size_t most_layers = 2;

Error refusal(ErrorCode code, std::string_view what, std::string_view advice = {}) {
  std::string message("the response's ");
  message.append(what).append(advice);
  return {code, Phase::body, std::move(message)};
}

}  // namespace

std::unique_ptr<Layer> make_layer(std::string_view coding) {
  if (equals_ignore_case(coding, "gzip") || equals_ignore_case(coding, "x-gzip")) return make_gzip();
  if (equals_ignore_case(coding, "deflate")) return make_deflate();
  if (equals_ignore_case(coding, "br")) return make_brotli();
  if (equals_ignore_case(coding, "zstd")) return make_zstd();
  return nullptr;
}

Result<std::unique_ptr<Decoder>> Decoder::make(std::string_view content_encoding, const DecoderLimits& limits) {
  const std::size_t layers = std::min(static_cast<std::size_t>(std::max(limits.max_layers, 0)), most_layers);
  std::unique_ptr<Decoder> decoder(new Decoder(limits));
  for (std::string_view coding; next_element(content_encoding, coding);) {
    if (equals_ignore_case(coding, "identity")) continue;
    Stage stage;
    stage.layer = make_layer(coding);
    if (!stage.layer) {
      return refusal(ErrorCode::unsupported,
                     "Content-Encoding \"" + printable(coding, 40) + "\" is not gzip, deflate, br or zstd", way_out);
    }
    if (decoder->stages_.size() == layers) {
      return refusal(ErrorCode::limit_exceeded,
                     "body is coded more than " + std::to_string(layers) + " times over, as attacks are", way_out);
    }
    // They are listed in the order in which they were applied, so the last comes off first.
    decoder->stages_.insert(decoder->stages_.begin(), std::move(stage));
  }
  if (decoder->stages_.empty()) return std::unique_ptr<Decoder>();
  if (decoder->stages_.size() == 2) decoder->between_.resize(between_bytes);
  return decoder;
}

Result<Decoder::Step> Decoder::decode(std::string_view in, std::span<char> out) {
  assert(!out.empty());
  if (stages_.size() == 1) return run(stages_.front(), in, out);
  Step step;
  for (;;) {
    Stage& first = stages_.front();
    if (between_at_ == between_end_) {
      Result<Step> got = run(first, in.substr(step.taken), between_);
      if (!got) return got;
      step.taken += got->taken;
      between_at_ = 0;
      between_end_ = got->given;
    }
    const std::string_view inner(between_.data() + between_at_, between_end_ - between_at_);
    Result<Step> got = run(stages_.back(), inner, out.subspan(step.given));
    if (!got) return got;
    between_at_ += got->taken;
    step.given += got->given;
    if (step.given == out.size()) return step;
    if (step.taken == in.size() && !first.has_more) return step;
  }
}

// One layer, as far as its input or its output goes.
Result<Decoder::Step> Decoder::run(Stage& stage, std::string_view in, std::span<char> out) {
  if (in.empty() && !stage.has_more) return Step();
  const bool is_last = &stage == &stages_.back();
  // One byte more than allowed is enough to know that there is more.
  std::span<char> room = out;
  if (is_last && room.size() > limits_.max_output - stage.given) {
    room = room.first(static_cast<std::size_t>(limits_.max_output - stage.given) + 1);
  }
  const std::size_t offered = room.size();
  std::string_view left = in;
  const char* const wrong = stage.layer->decode(left, room);
  const Step step{in.size() - left.size(), offered - room.size()};
  stage.taken += step.taken;
  stage.given += step.given;
  stage.has_more = room.empty();
  if (wrong != nullptr) {
    return refusal(ErrorCode::invalid_response, std::string(stage.layer->name()) + " body " + wrong, way_out);
  }
  if (is_last && stage.given > limits_.max_output) {
    return refusal(ErrorCode::limit_exceeded,
                   "decoded body is longer than the limit of " + std::to_string(limits_.max_output) + " bytes");
  }
  if (stage.given > limits_.ratio_grace && stage.given / std::max<std::uint64_t>(limits_.max_ratio, 1) > bytes_in()) {
    return refusal(ErrorCode::limit_exceeded,
                   std::string(stage.layer->name()) + " body is more than " + std::to_string(limits_.max_ratio) +
                       " times as long once decoded, as a decompression bomb is",
                   way_out);
  }
  return step;
}

Result<void> Decoder::finish() const {
  for (const Stage& stage : stages_) {
    if (stage.taken == 0 || stage.layer->complete()) continue;
    return refusal(ErrorCode::truncated_body, std::string(stage.layer->name()) + " body ended early: after " +
                                                  std::to_string(stage.taken) + " bytes there should be more");
  }
  return {};
}

}  // namespace trunkline::coding
