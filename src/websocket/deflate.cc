#include "websocket/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

namespace trunkline::websocket {
namespace {

// Every compressed message ends with an empty block, which does not travel (RFC 7692 section 7.2.1).
constexpr std::string_view tail("\x00\x00\xFF\xFF", 4);
constexpr std::size_t piece_size = 16 * 1024;

// zlib has no const, and counts in 32 bits.
Bytef* bytes_of(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }
constexpr std::size_t most_at_once = std::numeric_limits<uInt>::max();

}  // namespace

struct Deflater::Stream {
  z_stream z{};
  bool good = false;
  explicit Stream(int window_bits) {
    good = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Stream() { deflateEnd(&z); }
};

Deflater::Deflater(const DeflateParameters& parameters)
    : keep_window_(parameters.keep_our_window), window_bits_(parameters.our_window_bits) {}
Deflater::~Deflater() = default;

std::string Deflater::compress(std::string_view message) {
  if (!keep_window_) {
    Stream alone(window_bits_);
    return alone.good ? compress_with(alone, message) : std::string();
  }
  if (!stream_) stream_ = std::make_unique<Stream>(window_bits_);
  if (stream_->good) return compress_with(*stream_, message);
  stream_.reset();
  return {};
}

std::string Deflater::compress_with(Stream& stream, std::string_view message) {
  std::string out;
  std::array<char, piece_size> piece;
  z_stream& z = stream.z;
  do {
    const std::string_view part = message.substr(0, most_at_once);
    message.remove_prefix(part.size());
    z.next_in = bytes_of(part);
    z.avail_in = static_cast<uInt>(part.size());
    do {
      z.next_out = reinterpret_cast<Bytef*>(piece.data());
      z.avail_out = piece.size();
      deflate(&z, message.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      out.append(piece.data(), piece.size() - z.avail_out);
    } while (z.avail_out == 0);
  } while (!message.empty());
  if (out.ends_with(tail)) out.resize(out.size() - tail.size());
  if (out.empty()) out.push_back('\0');  // the empty message: one empty block (section 7.2.3.6)
  return out;
}

struct Inflater::Stream {
  z_stream z{};
  bool good = false;
  // The largest window reads what was written with any other.
  Stream() { good = inflateInit2(&z, -15) == Z_OK; }
  ~Stream() { inflateEnd(&z); }
};

Inflater::Inflater(const DeflateParameters& parameters) : keep_window_(parameters.keep_peer_window) {}
Inflater::~Inflater() = default;

Inflater::Outcome Inflater::take(std::string_view piece, std::string& out, std::size_t limit) {
  if (!stream_) stream_ = std::make_unique<Stream>();
  if (!stream_->good) return Outcome::invalid;
  z_stream& z = stream_->z;
  std::array<char, piece_size> plain;
  while (!piece.empty()) {
    const std::string_view part = piece.substr(0, most_at_once);
    z.next_in = bytes_of(part);
    z.avail_in = static_cast<uInt>(part.size());
    // One byte more than there is room for tells a message that is too long from one that just fits.
    const std::size_t room = std::min(plain.size(), limit - out.size() + 1);
    z.next_out = reinterpret_cast<Bytef*>(plain.data());
    z.avail_out = static_cast<uInt>(room);
    const int status = inflate(&z, Z_SYNC_FLUSH);
    const std::size_t made = room - z.avail_out;
    if (made > limit - out.size()) return Outcome::too_long;
    out.append(plain.data(), made);
    piece.remove_prefix(part.size() - z.avail_in);
    if (status == Z_STREAM_END) {
      // A final block ends the stream, not the message: what follows starts anew (section 7.2.3.4).
      if (inflateReset(&z) != Z_OK) return Outcome::invalid;
      continue;
    }
    if (status != Z_OK && status != Z_BUF_ERROR) return Outcome::invalid;
    if (status == Z_BUF_ERROR && made == 0 && z.avail_in > 0) return Outcome::invalid;  // it will not go on
  }
  // zlib may hold output for which there was no room.
  for (;;) {
    const std::size_t room = std::min(plain.size(), limit - out.size() + 1);
    z.next_in = nullptr;
    z.avail_in = 0;
    z.next_out = reinterpret_cast<Bytef*>(plain.data());
    z.avail_out = static_cast<uInt>(room);
    const int status = inflate(&z, Z_SYNC_FLUSH);
    const std::size_t made = room - z.avail_out;
    if (made > limit - out.size()) return Outcome::too_long;
    out.append(plain.data(), made);
    if (status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) return Outcome::invalid;
    if (status == Z_STREAM_END && inflateReset(&z) != Z_OK) return Outcome::invalid;
    if (made == 0) return Outcome::ok;
  }
}

Inflater::Outcome Inflater::finish(std::string& out, std::size_t limit) {
  const Outcome outcome = take(tail, out, limit);
  if (!keep_window_) stream_.reset();
  return outcome;
}

}  // namespace trunkline::websocket
