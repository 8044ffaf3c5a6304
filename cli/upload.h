// A request body handed out piece by piece: for bodies of unknown length, and for large ones that nobody stores.
#pragma once

#include <memory>
#include <string>

#include <trunkline/body.hpp>

namespace trunkline::cli {

class Upload : public BodySource {
 public:
  // `bytes`, or without them `generated` bytes of a pattern ("0123456789abcdef...") that a server can check.
  Upload(std::shared_ptr<const std::string> bytes, std::uint64_t generated, bool chunked, Headers trailers);

  std::optional<std::uint64_t> length() const override;
  Pull pull(std::span<char> into, Callback<void()> resume) override;
  bool rewind() override;
  Headers trailers() override { return trailers_; }

 private:
  std::shared_ptr<const std::string> bytes_;
  std::uint64_t size_;
  bool chunked_;
  Headers trailers_;
  std::uint64_t offset_ = 0;
};

}  // namespace trunkline::cli
