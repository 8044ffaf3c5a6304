#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "coding/layer.h"

namespace trunkline::coding {
namespace {

// zlib counts in unsigned int.
uInt as_count(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

// zlib never writes through next_in, but its type does not say so.
Bytef* as_input(const char* bytes) { return reinterpret_cast<Bytef*>(const_cast<char*>(bytes)); }

// One zlib stream, and what gzip and deflate do alike with it.
class ZlibLayer : public Layer {
 public:
  ~ZlibLayer() override {
    if (ready_) inflateEnd(&stream_);
  }
  ZlibLayer() = default;
  ZlibLayer(const ZlibLayer&) = delete;
  ZlibLayer& operator=(const ZlibLayer&) = delete;

  bool complete() const override { return at_end_; }

 protected:
  bool open(int window_bits) { return ready_ = inflateInit2(&stream_, window_bits) == Z_OK; }

  const char* inflate_some(std::string_view& in, std::span<char>& out) {
    stream_.next_in = as_input(in.data());
    stream_.avail_in = as_count(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = as_count(out.size());
    const uInt offered = stream_.avail_in;
    const uInt room = stream_.avail_out;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(offered - stream_.avail_in);
    out = out.subspan(room - stream_.avail_out);
    switch (result) {
      case Z_STREAM_END:
        at_end_ = true;
        return nullptr;
      case Z_OK:
      case Z_BUF_ERROR:  // nothing to do for now
        return nullptr;
      case Z_NEED_DICT:
        return "needs a dictionary that HTTP has no word for";
      case Z_MEM_ERROR:
        return "cannot be decoded: there is no memory for it";
      default:
        return "is damaged: what came is not what the server compressed, or it was not compressed at all";
    }
  }

  z_stream stream_{};
  bool ready_ = false;
  bool at_end_ = false;
};

// Members may follow each other (RFC 1952 section 2.2); anything else behind the last one is refused.
class GzipLayer final : public ZlibLayer {
 public:
  // Name, comment and extra field are skipped by zlib, but a header without an end is no body.
  static constexpr std::size_t header_limit = 128 * 1024;

  std::string_view name() const override { return "gzip"; }

  const char* decode(std::string_view& in, std::span<char>& out) override {
    if (!ready_) {
      if (!open(16 + MAX_WBITS)) return "cannot be decoded: there is no memory for it";
      inflateGetHeader(&stream_, &header_);
    }
    for (;;) {
      if (at_end_) {
        if (in.empty()) return nullptr;
        begin_member();
      }
      const std::size_t before = in.size();
      const std::size_t room = out.size();
      if (const char* wrong = step(in, out)) return wrong;
      if (at_end_) continue;
      if (in.empty() || out.empty() || (in.size() == before && out.size() == room)) return nullptr;
    }
  }

 private:
  void begin_member() {
    inflateReset(&stream_);
    header_ = {};
    inflateGetHeader(&stream_, &header_);
    at_end_ = false;
    is_first_ = false;
  }

  const char* step(std::string_view& in, std::span<char>& out) {
    if (header_.done != 0) return inflate_some(in, out);
    // No more than a header may have, so that it ends at the same byte however the input is cut.
    std::string_view slice = in.substr(0, header_limit - stream_.total_in);
    const std::size_t offered = slice.size();
    const char* wrong = inflate_some(slice, out);
    in.remove_prefix(offered - slice.size());
    if (header_.done == 1) return wrong;
    if (wrong != nullptr && !is_first_) return "has bytes behind its end that are not gzip";
    if (wrong == nullptr && stream_.total_in >= header_limit) return "has a header of more than 128 KiB";
    return wrong;
  }

  gz_header header_{};
  bool is_first_ = true;
};

// "deflate" is the zlib format (RFC 9110 section 8.4.1.2), but some servers send what is inside it without its frame.
// Two bytes tell: no encoder begins a raw stream with what is a sound zlib header.
class DeflateLayer final : public ZlibLayer {
 public:
  std::string_view name() const override { return "deflate"; }

  const char* decode(std::string_view& in, std::span<char>& out) override {
    if (!ready_) {
      if (!has_first_ && !in.empty()) {
        first_ = in.front();
        has_first_ = true;
        in.remove_prefix(1);
      }
      if (in.empty()) return nullptr;
      if (!open(is_zlib_header(first_, in.front()) ? MAX_WBITS : -MAX_WBITS)) {
        return "cannot be decoded: there is no memory for it";
      }
      std::string_view held(&first_, 1);
      if (const char* wrong = inflate_some(held, out)) return wrong;
    }
    for (;;) {
      if (at_end_) return in.empty() ? nullptr : "has bytes behind its end";
      const std::size_t before = in.size();
      const std::size_t room = out.size();
      if (const char* wrong = inflate_some(in, out)) return wrong;
      const bool moved = in.size() != before || out.size() != room;
      if (!at_end_ && (in.empty() || out.empty() || !moved)) return nullptr;
    }
  }

 private:
  static bool is_zlib_header(char first, char second) {
    const auto method = static_cast<unsigned char>(first);
    const auto flags = static_cast<unsigned char>(second);
    return (method & 0x0F) == Z_DEFLATED && (method >> 4) <= 7 && (method * 256U + flags) % 31 == 0;
  }

  char first_ = 0;
  bool has_first_ = false;
};

}  // namespace

std::unique_ptr<Layer> make_gzip() { return std::make_unique<GzipLayer>(); }
std::unique_ptr<Layer> make_deflate() { return std::make_unique<DeflateLayer>(); }

}  // namespace trunkline::coding
