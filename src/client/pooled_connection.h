// What the engine sees of a connection of either protocol: it is born from a dial, watched by one loop, known to the
// pool, and ends on its loop's thread.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "net/dial.h"
#include "net/loop.h"
#include "pool/pool.h"

namespace trunkline {

class Call;

inline constexpr int reads_per_turn = 32;  // 2 MiB of one connection, then others have their turn

class PooledConnection : public pool::Entry, public net::Watcher, public net::Timer {
 public:
  PooledConnection(net::Loop& loop, std::shared_ptr<pool::Pool> pool, std::shared_ptr<pool::Route> route,
                   net::Dialled dialled);
  ~PooledConnection() override;
  PooledConnection(const PooledConnection&) = delete;
  PooledConnection& operator=(const PooledConnection&) = delete;

  net::Loop& loop() const { return loop_; }
  const net::Dialled& dialled() const { return dialled_; }
  std::string_view tls() const { return tls_; }  // ConnectionInfo::tls

  // Registers with the loop, once; false when the kernel refuses.
  bool watch(Duration idle_timeout);
  // Starts the exchange of `call`, which was granted this connection: on the loop's thread, or on the calling one.
  virtual void begin(Call& call, bool by_caller) = 0;
  // Leased anew, before begin(): false when the peer has closed or spoken and the loop was not listening.
  virtual bool still_there() { return true; }
  virtual void start() {}   // watched, and about to be the pool's
  virtual void look() = 0;  // idle and marked as examined: what did the peer do?
  virtual std::string_view protocol() const = 0;
  virtual std::uint32_t carried() const = 0;  // requests, the latest included
  virtual bool may_be_driven_by_caller() const = 0;
  virtual void shut();  // draining: closes the socket and ends this object, unless it is still needed

 protected:
  net::Stream& stream() { return *dialled_.stream; }
  virtual void before_shut() {}
  // The socket is closed, but somebody has yet to read what came over it: end() is called when all is read.
  virtual bool outlives_socket() { return false; }
  void end();

  net::Loop& loop_;
  std::shared_ptr<pool::Pool> pool_;
  std::shared_ptr<pool::Route> route_;
  net::Dialled dialled_;

 private:
  std::string_view tls_;
};

}  // namespace trunkline
