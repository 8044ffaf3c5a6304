// Which ports the processes of all fleets hold. A reload may move a range from one fleet or part to another at once;
// processes that drain move nowhere, and nobody starts where one of them still listens.
#pragma once

#include <memory>
#include <mutex>
#include <set>

namespace trunkline::autoscale {

// Any thread may call.
class PortLedger : public std::enable_shared_from_this<PortLedger> {
 public:
  // One port that is ours until this goes, or none.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&& other) noexcept;
    ~Hold();

    int port() const { return port_; }  // 0: none

   private:
    friend class PortLedger;
    Hold(std::shared_ptr<PortLedger> ledger, int port) : ledger_(std::move(ledger)), port_(port) {}

    std::shared_ptr<PortLedger> ledger_;
    int port_ = 0;
  };

  // None when somebody has it already.
  Hold take(int port);

 private:
  std::mutex mutex_;
  std::set<int> taken_;
};

}  // namespace trunkline::autoscale
