#include "services/demo/page.h"

#include <unistd.h>

#include <utility>

#include "base/clock.h"
#include "metrics/negotiation.h"
#include "metrics/process_metrics.h"
#include "metrics/registry.h"
#include "metrics/stats_metrics.h"
#include "server/router.h"
#include "server/server.h"
#include "services/console/console.h"
#include "services/console/guard.h"
#include "services/run/gate.h"

namespace trunkline::demo {
namespace {

console::ConsoleSources with_process(console::ConsoleSources sources) {
  sources.differences = [](const std::string& a, const std::string& b) { return Transport::explain_shared(a, b); };
  sources.process = [started = std::chrono::system_clock::now(), since = Clock::now()] {
    return console::ProcessFacts{.version = TRUNKLINE_VERSION,
                                 .pid = getpid(),
                                 .started = started,
                                 .uptime = Clock::now() - since,
                                 .ready = true,
                                 .services = {{.name = "demo", .ready = true}}};
  };
  return sources;
}

}  // namespace

class Page::Impl {
 public:
  Impl(console::ConsoleSources sources, metrics::Registry::Collect metrics)
      : sources_(with_process(std::move(sources))),
        more_(std::move(metrics)),
        collector_(registry_.collect([this](metrics::ExpositionWriter& writer) {
          metrics::write_process_metrics(writer);
          metrics::write_stats(writer, sources_.transport());
          more_(writer);
        })) {}

  Result<void> start(const run::AdminSettings& admin) {
    server::Router router;
    router.get("/healthz", [](const server::Request&, server::Exchange exchange) {
      exchange.respond({200, "text/plain", "ok\n"});
    });
    const auto gate = std::make_shared<run::Gate>();
    gate->set(admin);
    router.get("/metrics", [this, gate, hosts = admin.hosts](const server::Request& request,
                                                             server::Exchange exchange) {
      if (gate->only_known_names() && !console::host_allowed(request.authority, hosts)) {
        return exchange.respond(server::plain_response(421, "not known under that name: ask localhost, or an address"));
      }
      metrics::Page page = metrics::serve_page(registry_, request.headers.get("Accept").value_or(""),
                                               request.headers.get("Accept-Encoding").value_or(""));
      server::Response response{200, page.content_type, std::move(page.body)};
      response.headers.add("Vary", "Accept, Accept-Encoding");
      if (!page.content_encoding.empty()) response.headers.add("Content-Encoding", page.content_encoding);
      exchange.respond(std::move(response));
    });
    console_ = console::add_console(router, sources_);
    Result<server::Handler> handler = std::move(router).handler();
    if (!handler) return std::move(handler).error();
    server::Settings settings;
    settings.listen = {{.address = admin.listen}};
    settings.loops = 1;
    Result<std::unique_ptr<server::Server>> server =
        server::Server::start(std::move(settings), run::Gate::behind(gate, *std::move(handler)));
    if (!server) return std::move(server).error();
    server_ = *std::move(server);
    return {};
  }

  const std::string& address() const { return server_->addresses().front(); }

  void stop(Duration limit) {
    console_->stop();  // its streams would hold up the drain
    server_->drain(limit);
    server_.reset();
  }

 private:
  const console::ConsoleSources sources_;
  const metrics::Registry::Collect more_;
  metrics::Registry registry_;
  metrics::Registry::Collector collector_;
  std::shared_ptr<console::Console> console_;
  std::unique_ptr<server::Server> server_;
};

Result<void> check_page(const run::AdminSettings& admin) {
  if (admin.listen.empty()) return {};
  if (Result<void> address = server::check_address(admin.listen); !address) return address;
  if (!run::is_exposed(admin)) return {};
  std::string message = admin.listen + ": ";
  message += run::exposed_sentence(
      "give --login FILE (user:password, or a token), or listen at 127.0.0.1; or say --unprotected where something in "
      "front of it asks");
  return Error(ErrorCode::invalid_options, Phase::prepare, std::move(message));
}

Page::Page(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Page::~Page() = default;

Result<std::unique_ptr<Page>> Page::start(const run::AdminSettings& admin, console::ConsoleSources sources,
                                          metrics::Registry::Collect metrics) {
  auto impl = std::make_unique<Impl>(std::move(sources), std::move(metrics));
  if (Result<void> started = impl->start(admin); !started) return started.error();
  return std::unique_ptr<Page>(new Page(std::move(impl)));
}

const std::string& Page::address() const { return impl_->address(); }

void Page::stop(Duration limit) { impl_->stop(limit); }

}  // namespace trunkline::demo
