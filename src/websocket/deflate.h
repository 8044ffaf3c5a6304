// permessage-deflate (RFC 7692): the compression of whole messages. Off by default; what it takes apart is bounded by
// the caller, and it holds no memory between messages unless both sides agreed to keep their windows.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace trunkline::websocket {

// What was agreed in the handshake.
struct DeflateParameters {
  bool keep_our_window = false;  // what we compress may refer to earlier messages
  bool keep_peer_window = false;
  int our_window_bits = 15;  // 9 to 15: zlib writes no smaller ones
};

class Deflater {
 public:
  explicit Deflater(const DeflateParameters& parameters);
  ~Deflater();

  // What is compressed refers to earlier messages, which must travel in the order in which they were compressed, all of
  // them. Otherwise each stands alone, and compress() may be called from any thread at any time.
  bool keeps_window() const { return keep_window_; }
  // A whole message, compressed, as the payload of frames. Empty: there was no memory for it, send it as it is.
  std::string compress(std::string_view message);

 private:
  struct Stream;
  static std::string compress_with(Stream& stream, std::string_view message);
  bool keep_window_;
  int window_bits_;
  std::unique_ptr<Stream> stream_;
};

class Inflater {
 public:
  enum class Outcome : unsigned char { ok, invalid, too_long };

  explicit Inflater(const DeflateParameters& parameters);
  ~Inflater();

  // The next bytes of a message; what they stand for goes behind `out`, which never grows beyond `limit`.
  Outcome take(std::string_view piece, std::string& out, std::size_t limit);
  // The message is complete.
  Outcome finish(std::string& out, std::size_t limit);

 private:
  struct Stream;
  bool keep_window_;
  std::unique_ptr<Stream> stream_;
};

}  // namespace trunkline::websocket
