// One coding, as its library decodes it. The bounds are the Decoder's business, but for what a coding itself can ask
// for: the size of a window or of a header.
#pragma once

#include <memory>
#include <span>
#include <string_view>

namespace trunkline::coding {

class Layer {
 public:
  virtual ~Layer() = default;

  // Takes from the front of `in` and fills the front of `out`, moving both forward. When there is room left in `out`,
  // all of `in` has been taken and nothing is held back. What is wrong otherwise, as the end of the sentence "the gzip
  // body ..."; null: nothing.
  virtual const char* decode(std::string_view& in, std::span<char>& out) = 0;
  // What has come so far may be all.
  virtual bool complete() const = 0;
  virtual std::string_view name() const = 0;
};

std::unique_ptr<Layer> make_gzip();
std::unique_ptr<Layer> make_deflate();
std::unique_ptr<Layer> make_brotli();
std::unique_ptr<Layer> make_zstd();

// By the name of a coding, without case. Null: not known.
std::unique_ptr<Layer> make_layer(std::string_view coding);

}  // namespace trunkline::coding
