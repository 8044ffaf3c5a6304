// How whoever started a call ends it early.
#pragma once

#include <memory>
#include <utility>

namespace trunkline {

// What a call that was started can be asked from any thread.
class Cancellable {
 public:
  virtual void cancel() = 0;

 protected:
  virtual ~Cancellable() = default;
};

// A started call. Dropping it changes nothing; cancel() ends it with `cancelled`, if it has not ended already.
class CallHandle {
 public:
  CallHandle() = default;
  explicit CallHandle(std::weak_ptr<Cancellable> call) : call_(std::move(call)) {}
  void cancel() const {
    if (const auto call = call_.lock()) call->cancel();
  }

 private:
  std::weak_ptr<Cancellable> call_;
};

}  // namespace trunkline
