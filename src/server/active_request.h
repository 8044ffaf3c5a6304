// One request under way, whatever carries it: from its complete head to the last byte of its response. It is counted,
// named, handed to the handler and logged here.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/recycled.h"
#include "server/exchange_state.h"
#include "server/gauges.h"
#include "server/request.h"

namespace trunkline::server {

class Connection;

class ActiveRequest {
 public:
  ActiveRequest(Connection& connection, Carrier& carrier);
  ~ActiveRequest();  // as end(false)
  ActiveRequest(const ActiveRequest&) = delete;
  ActiveRequest& operator=(const ActiveRequest&) = delete;
  // One for each request.
  static void* operator new(std::size_t) { return Recycled<ActiveRequest>().allocate(1); }
  static void operator delete(void* block) {
    Recycled<ActiveRequest>().deallocate(static_cast<ActiveRequest*>(block), 1);
  }

  // Of a request that has one, for its Request.
  RequestBody body(std::optional<std::uint64_t> length) const { return RequestBody(state_, length); }
  // Calls the handler, which may answer at once. The codec has filled in what it has read: method, authority, headers,
  // body, protocol, wants_websocket, and as its path the whole target: "/path?query", "*", or "http://host/path".
  void begin(Request&& request);

  // By value: what the handler does in a callback may end this request while the state is still at work.
  std::shared_ptr<ExchangeState> state() const { return state_; }

  void end_body() { state_->end_body(); }  // the state outlives the call, not this object
  void received(std::size_t bytes) { received_ += bytes; }
  void sent(std::size_t bytes) { sent_ += bytes; }
  void answered(int status) { status_ = status; }
  // Once. `complete`: the response is written whole.
  void end(bool complete);

 private:
  struct Facts;  // for the log

  Connection& connection_;
  std::shared_ptr<ExchangeState> state_;
  RequestToken token_;
  std::unique_ptr<Facts> facts_;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

// For the log: a request that was refused before it could be read.
void log_refused(Connection& connection, Protocol protocol, int status);

}  // namespace trunkline::server
