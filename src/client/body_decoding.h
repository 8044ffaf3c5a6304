// A response's body on its way to the caller when the server has coded it: between a Call and the Decoder.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <trunkline/request.hpp>
#include <trunkline/response.hpp>

#include "coding/decoder.h"

namespace trunkline {

// What we say that we understand.
inline constexpr std::string_view accepted_codings = "gzip, deflate, br, zstd";

// Whether a request may say so. Part of a coded body cannot be decoded, and who names codings himself wants them as
// they are.
inline bool accepts_codings(const Request& request) {
  const Headers& headers = request.headers();
  return headers.empty() ||
         (!headers.contains("Accept-Encoding") && !headers.contains("Range") && !request.wants_upgrade());
}

class BodyDecoding {
 public:
  // Coded bytes that may be taken in at once, and are held while the reader has no room for what they become.
  static constexpr std::size_t most_held = 16 * 1024;

  // Null: the body is not coded, or in a way that we do not know, and stays as it comes. Otherwise `head` says no more
  // what is not true of the text. `most_bytes`: of the text.
  static std::unique_ptr<BodyDecoding> begin(ResponseHead& head, std::uint64_t most_bytes);

  // False in these: see error(), which is final.
  bool append(std::string_view data, std::string& body);
  // Fills the front of `into`, which moves on; what has no room is held. At most `most_held` bytes, and only when
  // nothing is held: after resume() has left room.
  bool take(std::string_view data, std::span<char>& into);
  bool resume(std::span<char>& into);  // from what is held
  bool finish();                       // nothing more comes

  const std::optional<Error>& error() const { return error_; }

 private:
  explicit BodyDecoding(std::unique_ptr<coding::Decoder> decoder) : decoder_(std::move(decoder)) {}
  explicit BodyDecoding(Error error) : error_(std::move(error)) {}
  std::size_t decode(std::string_view data, std::span<char>& into);

  std::unique_ptr<coding::Decoder> decoder_;
  std::string held_;
  std::size_t held_taken_ = 0;
  bool has_more_ = false;  // the decoder itself may hold text back
  std::optional<Error> error_;
};

}  // namespace trunkline
