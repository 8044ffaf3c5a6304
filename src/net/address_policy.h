// Which addresses may be dialled: the guard against server-side request forgery. It sees the address that a name came
// to, right before the socket is opened, so that a name server cannot answer one thing to a check and another to the
// dial.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <trunkline/result.hpp>

#include "net/address.h"

namespace trunkline::net {

// True: it may be dialled. Empty: everything may. Called on loops' threads, several at once: quick and without state.
using AddressPolicy = std::function<bool(const Address&)>;

// Permits only what the public Internet routes. Refused are loopback, private networks, shared address space (CGNAT),
// link-local (with the clouds' metadata services), unique local, multicast, reserved and documentation ranges, and each
// of these as an IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo).
AddressPolicy refuse_private();

// The addresses that the policy permits, in their order; an error that names the host and the first address refused
// when it leaves none.
Result<std::vector<Address>> permitted(const AddressPolicy& policy, const std::string& host,
                                       std::vector<Address> addresses);

}  // namespace trunkline::net
