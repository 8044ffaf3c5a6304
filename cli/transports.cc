#include "transports.h"

#include <thread>
#include <utility>

#include <trunkline/environment_proxy.hpp>

namespace trunkline::cli {

Sharing sharing_of(const FetchFlags& flags) {
  return {.recreate = flags.recreate_client,
          .isolated = flags.isolated,
          .environment = flags.transport.proxy_from_environment};
}

Transports::Transports(Options options, Sharing sharing) : options_(std::move(options)), sharing_(std::move(sharing)) {}

Options Transports::options_for(const std::string& url, bool other_origin, std::optional<Duration> total) const {
  Options options = options_;
  if (options.proxy.empty() && sharing_.environment) {
    const Result<Url> parsed = Url::parse(url);
    if (parsed) options.proxy = environment_proxy(*parsed);
  }
  if (other_origin) {
    options.tls.certificate_file.clear();
    options.tls.key_file.clear();
    options.tls.server_name.clear();
  }
  if (total) options.timeouts.total = *total;
  return options;
}

std::shared_ptr<Transport> Transports::take(const std::string& url, bool other_origin, std::optional<Duration> total) {
  const Options options = options_for(url, other_origin, sharing_.recreate ? total : std::nullopt);
  const std::lock_guard lock(mutex_);
  if (sharing_.recreate) {
    if (sharing_.isolated) return sharing_.create(options);
    return *recreated_.insert(sharing_.shared(options)).first;
  }
  const std::string what_differs = options.proxy + (other_origin ? "\n!" : "\n");
  std::shared_ptr<Transport>& kept = kept_[what_differs];
  if (!kept) kept = sharing_.isolated ? sharing_.create(options) : sharing_.shared(options);
  return kept;
}

void Transports::give_back(const std::shared_ptr<Transport>& transport) {
  if (!sharing_.recreate || !sharing_.isolated || !transport) return;
  transport->invalidate();
  transport->drain(std::chrono::seconds(1));
  // Sockets are closed on the loop, a moment later; the counters should not say that they are left behind.
  for (int i = 0; i < 100 && transport->stats().pool.open > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ended_.add_private(transport->stats());
}

Stats Transports::stats() const {
  StatsSum sum = ended_;
  for (const auto& [what_differs, transport] : kept_) {
    sharing_.isolated ? sum.add_private(transport->stats()) : sum.add_shared(transport->stats());
  }
  for (const std::shared_ptr<Transport>& transport : recreated_) sum.add_shared(transport->stats());
  return sum.total();
}

}  // namespace trunkline::cli
