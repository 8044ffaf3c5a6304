// What a call sees of whatever carries it once it has been granted: an HTTP/1.1 connection, or one stream of an HTTP/2
// connection.
#pragma once

#include <trunkline/reason.hpp>

namespace trunkline {

namespace net {
class Loop;
}

class Call;

class Carrier {
 public:
  virtual net::Loop& loop() = 0;

  // The owner's business: the thread that drives the exchange.
  virtual void resume_reading() = 0;           // the call wants more body
  virtual void abort(CloseReason reason) = 0;  // ends the exchange at once; the call has been detached
  // The caller dropped the body: a small rest is read where that saves something, otherwise the exchange ends.
  virtual void discard_rest() = 0;

  // HTTP/1.1 only: the thread of a blocking call may drive the exchange itself, until it hands it to the loop.
  virtual bool in_caller_mode() const { return false; }
  virtual void drive(Call&) {}
  virtual void hand_to_loop() {}

 protected:
  ~Carrier() = default;
};

}  // namespace trunkline
