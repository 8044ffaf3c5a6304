// A client that says too much: one piece after another, until the server has had enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "support/serving.h"

namespace trunkline::test {

struct Flood {
  std::function<std::string(std::uint32_t)> piece;  // of its number, from 0
  std::uint32_t most = 200'000;
  bool reads = true;  // beside sending; otherwise only at the end
};

// Sends until the server has closed, or `most` pieces are sent, then `last`; returns all that the server has said by
// its end of the connection.
std::string pour(Raw& client, const Flood& flood, const std::string& last = {});

// Of this process, server and clients together.
std::size_t resident_bytes();

}  // namespace trunkline::test
