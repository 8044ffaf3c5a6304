#include "services/autoscale_live/port_ledger.h"

#include <utility>

namespace trunkline::autoscale {

PortLedger::Hold::Hold(Hold&& other) noexcept
    : ledger_(std::move(other.ledger_)), port_(std::exchange(other.port_, 0)) {}

PortLedger::Hold& PortLedger::Hold::operator=(Hold&& other) noexcept {
  Hold taken(std::move(other));  // and what was ours goes with it
  std::swap(ledger_, taken.ledger_);
  std::swap(port_, taken.port_);
  return *this;
}

PortLedger::Hold::~Hold() {
  if (!ledger_) return;
  const std::lock_guard lock(ledger_->mutex_);
  ledger_->taken_.erase(port_);
}

PortLedger::Hold PortLedger::take(int port) {
  const std::lock_guard lock(mutex_);
  return taken_.insert(port).second ? Hold(shared_from_this(), port) : Hold();
}

}  // namespace trunkline::autoscale
