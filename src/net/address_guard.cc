#include <trunkline/address_guard.hpp>

#include "net/address_policy.h"

namespace trunkline {
namespace {

class RefusePrivate final : public AddressGuard {
 public:
  bool permits(std::string_view ip) const override {
    net::Address address;
    return net::Address::parse(ip, 0, address) && policy_(address);
  }
  std::string name() const override { return "refuse private addresses"; }

 private:
  const net::AddressPolicy policy_ = net::refuse_private();
};

}  // namespace

std::shared_ptr<const AddressGuard> refuse_private_addresses() {
  static const auto* const guard = new std::shared_ptr<const AddressGuard>(std::make_shared<RefusePrivate>());
  return *guard;
}

}  // namespace trunkline
