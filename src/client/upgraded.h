// A connection that no longer speaks HTTP, in its new owner's hands: blocking reads and writes over the same Stream.
#pragma once

#include <mutex>
#include <string>

#include <trunkline/response.hpp>

namespace trunkline {

class Connection;

class UpgradedConnection::Impl {
 public:
  explicit Impl(Connection& connection);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<std::size_t> read(std::span<char> into, Duration limit);
  Result<void> write(std::string_view bytes, Duration limit);

 private:
  Connection& connection_;
  std::mutex mutex_;  // TLS has one state for both directions
  std::string held_;  // received and not read yet
};

}  // namespace trunkline
