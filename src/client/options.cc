#include <trunkline/options.hpp>

namespace trunkline {

using std::chrono::seconds;

TlsOptions::TlsOptions() = default;
ResponseLimits::ResponseLimits() = default;
Http2Options::Http2Options() = default;
Options::Options() = default;

Options Options::standard() { return {}; }

Options Options::scrape() {
  Options options;
  options.limits.idle_total = 1000;
  options.limits.idle_per_host = 5;
  options.limits.idle_timeout = seconds(30);
  return options;
}

Options Options::executor() {
  Options options;
  options.limits.idle_total = 200;
  options.limits.idle_per_host = 20;
  options.protocol = Protocol::automatic;  // said, not changed: it offers HTTP/2 where we speak it
  return options;
}

Options Options::internal() {
  Options options;
  options.protocol = Protocol::h2c;
  options.limits.open_per_host = 256;
  options.limits.idle_per_host = 256;
  options.limits.idle_total = 256;
  options.limits.idle_timeout = seconds(90);
  return options;
}

}  // namespace trunkline
