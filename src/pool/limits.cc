#include <trunkline/options.hpp>

namespace trunkline {

PoolLimits::PoolLimits() = default;
Timeouts::Timeouts() = default;

}  // namespace trunkline
