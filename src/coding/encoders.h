// For tests only: what servers do to a body, with the libraries' own encoders.
#pragma once

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <cassert>
#include <string>
#include <string_view>

namespace trunkline::coding {

// `window_bits` as deflateInit2 has it: 31 for gzip, 15 for zlib, -15 for a raw stream.
inline std::string deflated(std::string_view text, int window_bits) {
  z_stream stream{};
  int result = deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY);
  assert(result == Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  result = deflate(&stream, Z_FINISH);
  assert(result == Z_STREAM_END);
  (void)result;
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string gzipped(std::string_view text) { return deflated(text, 31); }

// So many MiB of zeros, without an end: after a full flush each MiB is the same bytes, so they are made once.
inline std::string gzip_bomb(std::size_t mebibytes) {
  const std::string zeros(1 << 20, '\0');
  z_stream stream{};
  int result = deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
  assert(result == Z_OK);
  (void)result;
  std::string bomb;
  std::string block(64 * 1024, '\0');
  for (int i = 0; i < 2; ++i) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
    stream.avail_in = static_cast<uInt>(zeros.size());
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    deflate(&stream, Z_FULL_FLUSH);
    const std::string_view made(block.data(), block.size() - stream.avail_out);
    if (i == 0) bomb = made;  // with the header of the gzip format
    for (std::size_t n = 1; i == 1 && n < mebibytes; ++n) bomb += made;
  }
  deflateEnd(&stream);
  return bomb;
}

inline std::string brotlied(std::string_view text, int window_bits = 22) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 64;
  std::string out(size, '\0');
  BrotliEncoderCompress(4, window_bits, BROTLI_MODE_GENERIC, text.size(),
                        reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                        reinterpret_cast<std::uint8_t*>(out.data()));
  out.resize(size);
  return out;
}

inline std::string zstded(std::string_view text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  // As a stream, like a server: a frame that knows its length may have a smaller window.
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_inBuffer input{text.data(), text.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_continue);
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

inline std::string coded(std::string_view coding, std::string_view text) {
  if (coding == "gzip") return gzipped(text);
  if (coding == "deflate") return deflated(text, 15);
  if (coding == "br") return brotlied(text);
  return zstded(text);
}

}  // namespace trunkline::coding
