// Which addresses may be dialled: the guard against requests that somebody else's URL sends where it should not go.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace trunkline {

// Sees each address that a name came to right before it is dialled, so that a name server cannot tell a check one thing
// and the dial another; addresses in URLs and in Options::resolve too. A proxy that resolves names itself is not seen
// through. Called on loop threads, several at once: quick, and without state.
class AddressGuard {
 public:
  virtual ~AddressGuard() = default;
  virtual bool permits(std::string_view ip) const = 0;  // "192.0.2.1", "2001:db8::1"
  // Part of what makes options equal: guards of one name must permit the same.
  virtual std::string name() const = 0;
};

// Permits only what the public Internet routes: no loopback, private, shared, link-local (with the metadata services of
// clouds), unique local, multicast or reserved address, nor one of these inside an IPv6 one.
std::shared_ptr<const AddressGuard> refuse_private_addresses();

}  // namespace trunkline
