#include "services/run/admin.h"

#include <utility>

#include "services/run/server_metrics.h"

namespace trunkline::run {

namespace {

// One of them is all addresses of the machine, and the other one of those: the kernel lets nobody have both.
bool take_one_port(std::string_view a, std::string_view b) {
  const auto is_all = [](std::string_view one) { return one.starts_with("0.0.0.0:") || one.starts_with("[::]:"); };
  const auto port_of = [](std::string_view one) { return one.substr(one.rfind(':') + 1); };
  return is_all(a) != is_all(b) && port_of(a) == port_of(b);
}

}  // namespace

struct Admin::Current {
  std::mutex mutex;
  std::shared_ptr<const server::Handler> handler;

  void answer(server::Request request, server::Exchange exchange) {
    std::shared_ptr<const server::Handler> now;
    {
      const std::lock_guard lock(mutex);
      now = handler;
    }
    if (now) return (*now)(std::move(request), std::move(exchange));
    exchange.respond(server::plain_response(503, "It is about to start."));
  }
};

Admin::Admin(std::function<void(const std::string&)> on_trouble)
    : on_trouble_(std::move(on_trouble)), current_(std::make_shared<Current>()) {}
Admin::~Admin() = default;

void Admin::serve(server::Handler handler) {
  const std::lock_guard lock(current_->mutex);
  current_->handler = std::make_shared<const server::Handler>(std::move(handler));
}

Result<void> Admin::listen(const std::string& address, const server::TlsFiles& certificate, Duration limit) {
  const bool same_certificate =
      certificate.certificate_file == certificate_.certificate_file && certificate.key_file == certificate_.key_file;
  if (const auto now = server(); now && address == address_) {
    if (same_certificate) return now->reload_certificates();
    return Error(ErrorCode::invalid_options, Phase::prepare,
                 "admin.tls cannot change while it listens at the same address: restart, or change admin.listen too");
  }
  server::Settings settings;
  const bool secure = !certificate.certificate_file.empty();
  settings.listen = {{.address = address, .secure = secure}};
  if (secure) settings.tls.certificates = {certificate};
  settings.loops = 1;
  settings.name = "trunkline";
  settings.on_trouble = on_trouble_;
  auto started =
      server::Server::start(settings, [current = current_](server::Request request, server::Exchange exchange) {
        current->answer(std::move(request), std::move(exchange));
      });
  if (!started) {
    Error error = std::move(started).error();
    for (const std::string& own : addresses()) {
      if (!take_one_port(address, own)) continue;
      error.message += "; this very process listens at " + own + ": restart it, or choose another port";
    }
    return error;
  }
  std::shared_ptr<server::Server> before;
  {
    const std::lock_guard lock(mutex_);
    address_ = address;
    certificate_ = certificate;
    before = std::exchange(server_, std::move(*started));
  }
  if (before) before->drain(limit);
  return {};
}

bool Admin::drain(Duration limit) {
  const auto now = server();
  return !now || now->drain(limit);
}

std::shared_ptr<server::Server> Admin::server() const {
  const std::lock_guard lock(mutex_);
  return server_;
}

std::vector<std::string> Admin::addresses() const {
  const auto now = server();
  return now ? now->addresses() : std::vector<std::string>();
}

void Admin::write_metrics(metrics::ExpositionWriter& writer) const {
  if (const auto now = server()) write_server_metrics(writer, "admin", now->gauges());
}

}  // namespace trunkline::run
