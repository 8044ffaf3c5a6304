#include <trunkline/policy.hpp>
#include <trunkline/transport.hpp>

namespace trunkline {

std::shared_ptr<RoundTripper> choose(const Way& way, const Options& options) {
  const std::string& proxy = way.credential_proxy.empty() ? way.configured_proxy : way.credential_proxy;
  if (!proxy.empty()) return Transport::shared(options.derive([&](Options& o) { o.proxy = proxy; }));
  if (way.round_tripper) return way.round_tripper;
  return Transport::shared(options);
}

}  // namespace trunkline
