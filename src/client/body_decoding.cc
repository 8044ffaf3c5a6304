#include "client/body_decoding.h"

#include <algorithm>
#include <utility>

namespace trunkline {
namespace {

ContentCoding coding_named(std::string_view field) {
  if (field.find(',') != std::string_view::npos) return ContentCoding::several;
  if (equals_ignore_case(field, "deflate")) return ContentCoding::deflate;
  if (equals_ignore_case(field, "br")) return ContentCoding::br;
  if (equals_ignore_case(field, "zstd")) return ContentCoding::zstd;
  return ContentCoding::gzip;
}

}  // namespace

std::string_view to_string(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::none:
      return "none";
    case ContentCoding::gzip:
      return "gzip";
    case ContentCoding::deflate:
      return "deflate";
    case ContentCoding::br:
      return "br";
    case ContentCoding::zstd:
      return "zstd";
    case ContentCoding::several:
      return "several";
  }
  return "none";
}

std::unique_ptr<BodyDecoding> BodyDecoding::begin(ResponseHead& head, std::uint64_t most_bytes) {
  std::string field;
  for (const std::string_view value : head.headers.get_all("Content-Encoding")) {
    if (!field.empty()) field += ", ";
    field += value;
  }
  coding::DecoderLimits limits;
  limits.max_output = most_bytes;
  auto made = coding::Decoder::make(field, limits);
  if (!made) {
    // Some servers say "utf-8" or "aws-chunked" here: the field still tells the caller what the body is.
    if (made.error().code == ErrorCode::unsupported) return nullptr;
    return std::unique_ptr<BodyDecoding>(new BodyDecoding(std::move(made).error()));
  }
  if (!*made) return nullptr;
  head.decoded_from = coding_named(field);
  head.headers.remove("Content-Encoding");
  head.headers.remove("Content-Length");
  return std::unique_ptr<BodyDecoding>(new BodyDecoding(*std::move(made)));
}

// How much of `data` was taken.
std::size_t BodyDecoding::decode(std::string_view data, std::span<char>& into) {
  auto step = decoder_->decode(data, into);
  if (!step) {
    error_ = std::move(step).error();
    return 0;
  }
  has_more_ = step->given == into.size();
  into = into.subspan(step->given);
  return step->taken;
}

bool BodyDecoding::append(std::string_view data, std::string& body) {
  constexpr std::size_t piece = 16 * 1024;
  while (!error_ && (has_more_ || !data.empty())) {
    const std::size_t before = body.size();
    body.resize(before + piece);
    std::span<char> room(body.data() + before, piece);
    data.remove_prefix(decode(data, room));
    body.resize(body.size() - room.size());
  }
  return !error_;
}

bool BodyDecoding::take(std::string_view data, std::span<char>& into) {
  if (error_) return false;
  const std::size_t taken = decode(data, into);
  held_.assign(data.substr(taken));
  held_taken_ = 0;
  return !error_;
}

bool BodyDecoding::resume(std::span<char>& into) {
  if (error_) return false;
  const std::string_view left = std::string_view(held_).substr(held_taken_);
  if (!left.empty() || has_more_) held_taken_ += decode(left, into);
  return !error_;
}

bool BodyDecoding::finish() {
  if (error_) return false;
  if (auto complete = decoder_->finish(); !complete) error_ = complete.error();
  return !error_;
}

}  // namespace trunkline
