#include "services/run/supervisor.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <trunkline/transport.hpp>

#include "base/text.h"
#include "metrics/negotiation.h"
#include "metrics/process_metrics.h"
#include "metrics/stats_metrics.h"
#include "server/router.h"
#include "services/console/guard.h"

namespace trunkline::run {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void answer_metrics(const metrics::Registry& registry, const server::Request& request, server::Exchange exchange) {
  metrics::Page page = serve_page(registry, request.headers.get("Accept").value_or(""),
                                  request.headers.get("Accept-Encoding").value_or(""));
  server::Response response(200, page.content_type, std::move(page.body));
  if (!page.content_encoding.empty()) response.headers.set("Content-Encoding", page.content_encoding);
  response.headers.set("Vary", "Accept, Accept-Encoding");
  exchange.respond(std::move(response));
}

server::TlsFiles certificate_of(const AdminSettings& admin) { return {admin.certificate_file, admin.key_file}; }

}  // namespace

Supervisor::Supervisor(std::string file, Log log)
    : file_(std::move(file)),
      log_(log),
      reload_successful_(registry_.gauge("trunkline_config_last_reload_successful",
                                         "1 when the configuration was good the last time that it was read.")),
      reload_time_(registry_.gauge("trunkline_config_last_reload_success_timestamp_seconds",
                                   "When a good configuration was read last, since 1970.")),
      collector_(registry_.collect([this](metrics::ExpositionWriter& writer) { write_metrics(writer); })),
      admin_([this](const std::string& sentence) { log_.write(LogLevel::warning, "listener_trouble", sentence); }) {
  auto scrape = std::make_unique<ScrapeService>();
  scrape_ = scrape.get();
  auto autoscale = std::make_unique<AutoscaleService>(*scrape);
  autoscale_ = autoscale.get();
  services_.push_back(std::move(scrape));
  services_.push_back(std::move(autoscale));
}

Supervisor::~Supervisor() {
  if (console_) console_->stop();
}

Result<void> Supervisor::start(Configuration configuration) {
  for (const auto& service : services_) {
    if (Result<void> good = service->check(configuration); !good) return good;
  }
  Result<Front> front = make_front(configuration.admin);
  if (!front) return std::move(front).error();
  show(std::move(*front));
  // Before the services: one that has started processes must not find out then that another of us runs already.
  gate_->set(configuration.admin);
  if (Result<void> listening =
          admin_.listen(configuration.admin.listen, certificate_of(configuration.admin), configuration.drain);
      !listening) {
    return listening;
  }
  configuration_ = std::move(configuration);
  for (const auto& service : services_) {
    if (Result<void> started = service->start(configuration_); !started) {
      drain();
      return started;
    }
    ++started_;
  }
  up_ = true;
  reload_successful_.set(1);
  reload_time_.set(seconds_since_1970());
  tell_addresses();
  return {};
}

void Supervisor::tell_addresses() const {
  for (const std::string& address : admin_.addresses()) {
    log_.write(LogLevel::info, "listening", "the admin listener is open", {{"address", address}});
    if (asks_for_login(configuration_.admin) || is_of_this_machine(address)) continue;
    log_.write(LogLevel::warning, "exposed", "other machines can reach the admin listener, which asks for no password",
               {{"address", address}});
  }
}

bool Supervisor::reload() {
  Result<Configuration> next = read_configuration(file_);
  Result<void> done = next ? apply(std::move(*next)) : Result<void>(std::move(next).error());
  const bool all_begun = done && tell_services();
  reload_successful_.set(all_begun ? 1 : 0);
  if (done && !all_begun) return false;
  if (done) {
    reload_time_.set(seconds_since_1970());
    log_.write(LogLevel::info, "reloaded", "the configuration was read again and is in force", {{"file", file_}});
    return true;
  }
  std::string_view rest = done.error().message;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    log_.write(LogLevel::error, "reload_refused", rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  log_.write(LogLevel::error, "reload_refused", "nothing has changed: the configuration before it stays in force",
             {{"file", file_}});
  return false;
}

Result<void> Supervisor::apply(Configuration next) {
  for (const auto& service : services_) {
    if (Result<void> good = service->check(next); !good) return good;
  }
  // Kept where it can be: a new console knows nothing of the last half hour.
  const bool same =
      next.admin.console == configuration_.admin.console && next.admin.hosts == configuration_.admin.hosts;
  std::optional<Front> front;
  if (!same) {
    Result<Front> made = make_front(next.admin);
    if (!made) return std::move(made).error();
    front = std::move(*made);
  }
  const bool moves = next.admin.listen != configuration_.admin.listen;
  // Short, as everything waits for it: what is cut here are streams, whose clients come again.
  const Duration limit = std::min<Duration>(next.drain, std::chrono::seconds(2));
  // Both addresses serve for a moment: where the new one asks for something both do, otherwise neither stops asking.
  if (asks_for_login(next.admin)) gate_->set(next.admin);
  if (Result<void> listening = admin_.listen(next.admin.listen, certificate_of(next.admin), limit); !listening) {
    gate_->set(configuration_.admin);
    if (front && front->console) front->console->stop();
    return listening;
  }
  if (front) show(std::move(*front));
  gate_->set(next.admin);
  const bool others_may_read = next.admin.user != configuration_.admin.user ||
                               next.admin.login != configuration_.admin.login ||
                               next.admin.bearer_token != configuration_.admin.bearer_token;
  if (others_may_read && console_) console_->events().disconnect();
  configuration_ = std::move(next);
  if (moves) tell_addresses();
  return {};
}

// Of the configuration that is in force now. False: what one of them could not begin is missing, and the log says so.
bool Supervisor::tell_services() {
  bool all_begun = true;
  for (const auto& service : services_) {
    try {
      service->reload(configuration_);
    } catch (const std::system_error& error) {
      all_begun = false;
      log_.write(LogLevel::error, "reload_incomplete",
                 std::string(service->name()) + ": " + error.what() +
                     "; what could not be begun is missing: make room for it, and reload again");
    }
  }
  return all_begun;
}

void Supervisor::tell_news() {
  for (const NewsItem& item : news_.look(services(), *autoscale_, Clock::now())) {
    log_.write(item.level, item.event, item.sentence, {{item.about.first, item.about.second}});
  }
}

bool Supervisor::drain() {
  draining_ = true;
  if (console_) console_->stop();  // its streams would never end by themselves
  const TimePoint deadline = Clock::now() + configuration_.drain;
  bool nothing_cut = true;
  std::thread listener([&] { nothing_cut = admin_.drain(configuration_.drain); });
  bool all_ended = true;
  for (; started_ > 0; --started_) {
    Service& service = *services_[started_ - 1];
    const Duration left = std::max<Duration>(deadline - Clock::now(), Duration(0));
    if (service.drain(left)) continue;
    all_ended = false;
    log_.write(LogLevel::warning, "cut_off", "not all of it had ended when the time to drain was over",
               {{"service", std::string(service.name())}});
  }
  listener.join();
  if (!nothing_cut) {
    log_.write(LogLevel::warning, "cut_off", "clients of the admin listener were cut off: the time to drain was over",
               {{"drain", print_duration(configuration_.drain)}});
  }
  return all_ended && nothing_cut;
}

bool Supervisor::ready() const {
  return up_ && !draining_ &&
         std::all_of(services_.begin(), services_.end(), [](const auto& service) { return service->ready(); });
}

std::vector<ServiceStatus> Supervisor::services() const {
  std::vector<ServiceStatus> all;
  all.reserve(services_.size());
  for (const auto& service : services_) {
    all.push_back({std::string(service->name()), up_ && !draining_ && service->ready(), service->trouble()});
  }
  return all;
}

Result<Supervisor::Front> Supervisor::make_front(const AdminSettings& admin) {
  server::Router router;
  router.get("/healthz", [](const server::Request&, server::Exchange exchange) {
    exchange.respond({200, "text/plain; charset=utf-8", "alive\n"});
  });
  const auto may_read = [this, hosts = admin.hosts](const server::Request& request) {
    return !gate_->only_known_names() || request.peer == "unix" || console::host_allowed(request.authority, hosts);
  };
  router.get("/readyz", [this, may_read](const server::Request& request, server::Exchange exchange) {
    const bool is_ready = ready();
    // What troubles the services is for those who may read it.
    const bool all = gate_->opens(request.headers) && may_read(request);
    exchange.respond({is_ready ? 200 : 503, "application/json",
                      readiness_json(is_ready, all ? services() : std::vector<ServiceStatus>())});
  });
  router.get("/metrics", [this, may_read](const server::Request& request, server::Exchange exchange) {
    if (!may_read(request)) {
      exchange.respond(server::plain_response(
          421, "not known under that name: ask localhost, an address, or a name of admin.hosts"));
      return;
    }
    answer_metrics(registry_, request, std::move(exchange));
  });
  Front front;
  if (admin.console) front.console = console::add_console(router, console_sources(admin));
  Result<server::Handler> handler = std::move(router).handler();
  if (!handler) return std::move(handler).error();
  front.handler = Gate::behind(gate_, std::move(*handler));
  return front;
}

void Supervisor::show(Front front) {
  admin_.serve(std::move(front.handler));
  if (console_) console_->stop();
  console_ = std::move(front.console);
}

console::ConsoleSources Supervisor::console_sources(const AdminSettings& admin) {
  console::ConsoleSources sources;
  sources.process = [this] { return facts(); };
  sources.transport = [] { return Transport::shared_stats(); };
  sources.connections = [](const ConnectionQuery& query) { return Transport::shared_connections(query); };
  sources.differences = [](const std::string& a, const std::string& b) { return Transport::explain_shared(a, b); };
  sources.targets = [this] {
    std::vector<scrape::SnapshotPtr> all = autoscale_->snapshots();
    all.insert(all.begin(), scrape_->latest());
    return all;
  };
  sources.fleets = autoscale_;
  sources.hosts = admin.hosts;
  return sources;
}

console::ProcessFacts Supervisor::facts() const {
  console::ProcessFacts facts;
  facts.version = TRUNKLINE_VERSION;
  facts.pid = ::getpid();
  facts.started = started_at_;
  facts.uptime = Clock::now() - began_;
  facts.ready = ready();
  for (ServiceStatus& one : services())
    facts.services.push_back({std::move(one.name), one.ready, std::move(one.trouble)});
  return facts;
}

// On a loop of the listener's own: what it takes delays nobody but its clients.
void Supervisor::write_metrics(metrics::ExpositionWriter& writer) const {
  metrics::write_process_metrics(writer);
  writer.family("trunkline_build_info", metrics::Type::gauge, "1, with the version as a label.");
  writer.sample({{"version", TRUNKLINE_VERSION}}, 1);
  writer.family("trunkline_ready", metrics::Type::gauge, "1 when /readyz says yes.");
  writer.sample(ready() ? 1 : 0);
  writer.family("trunkline_service_troubled", metrics::Type::gauge, "1 when a service says that something is wrong.");
  for (const ServiceStatus& one : services()) {
    writer.sample({{"service", one.name}}, one.trouble.empty() ? 0 : 1);
  }
  metrics::write_stats(writer, Transport::shared_stats());
  admin_.write_metrics(writer);
  for (const auto& service : services_) service->write_metrics(writer);
}

}  // namespace trunkline::run
