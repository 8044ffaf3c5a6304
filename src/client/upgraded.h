// A connection that no longer speaks HTTP, in its new owner's hands: blocking reads and writes over the same Stream.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include <trunkline/response.hpp>

namespace trunkline {

class Connection;

// Who drives an upgraded connection on its loop's thread, instead of its caller.
class UpgradeOwner {
 public:
  virtual void on_socket(std::uint32_t events) = 0;  // net::Events
  virtual void on_time() = 0;

 protected:
  ~UpgradeOwner() = default;
};

class UpgradedConnection::Impl {
 public:
  explicit Impl(Connection& connection);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<std::size_t> read(std::span<char> into, Duration limit);
  Result<void> write(std::string_view bytes, Duration limit);

  // Somebody else's from now on, who will abort() it; `held` gets what was received and not read yet.
  Connection& release(std::string& held);

 private:
  Connection* connection_;  // null: released
  std::mutex mutex_;        // TLS has one state for both directions
  std::string held_;        // received and not read yet
};

}  // namespace trunkline
