// What a fleet looked like at each decision, a line each, in the form that `trunkline autoscale simulate --input`
// reads.
#pragma once

#include <cstdint>
#include <string>

#include <trunkline/result.hpp>

#include "services/autoscale_files/recording.h"

namespace trunkline::autoscale {

class Recorder {
 public:
  // Beyond `most_bytes` the file becomes "PATH.1", in place of the one before, and a new one begins.
  Recorder(std::string path, std::uint64_t most_bytes) : path_(std::move(path)), most_bytes_(most_bytes) {}

  Result<void> add(const Tick& tick) const;
  const std::string& path() const { return path_; }
  std::uint64_t most_bytes() const { return most_bytes_; }

 private:
  std::string path_;
  std::uint64_t most_bytes_;
};

}  // namespace trunkline::autoscale
