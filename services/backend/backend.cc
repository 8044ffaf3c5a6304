#include "services/backend/backend.h"

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"
#include "metrics/negotiation.h"
#include "server/log_entry.h"
#include "server/path.h"
#include "server/router.h"
#include "server/server.h"
#include "services/backend/event_streams.h"
#include "services/backend/instruments.h"
#include "services/backend/later.h"
#include "services/backend/session.h"
#include "services/backend/silence.h"

namespace trunkline::backend {
namespace {

constexpr std::size_t longest_echo = std::size_t{1024} * 1024;
constexpr std::size_t most_shed = 1'000'000;
constexpr std::string_view websocket_path = "/ws";

std::string_view route_of(std::string_view path) {
  for (const std::string_view known : {"/", "/echo", "/events", "/ws", "/healthz", "/metrics", "/shed", "/silence"}) {
    if (path == known) return known;
  }
  return "other";
}

std::optional<std::string> parameter(const server::Request& request, std::string_view name) {
  for (auto& [key, value] : server::query_pairs(request.query)) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<std::size_t> whole_number(const std::string& text, std::size_t most) {
  std::size_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
  return number;
}

server::Response text_response(int status, const std::string& text) {
  return {status, "text/plain; charset=utf-8", text + "\n"};
}

// A page of somebody else's in a browser on this machine: to send it a POST without a body, none has to ask first.
bool of_another_site(const server::Request& request) {
  const std::string_view site = request.headers.get("Sec-Fetch-Site").value_or("none");
  return site != "none" && site != "same-origin";
}
server::Response not_from_there() { return server::plain_response(403, "not for pages of other sites"); }

}  // namespace

class Backend::Impl {
 public:
  explicit Impl(const Settings& settings)
      : settings_(settings),
        silence_(settings_, Clock::now()),
        later_(most_waiting),
        streams_(instruments_.event_streams),
        sessions_(settings_, instruments_, later_),
        waiting_(instruments_.registry.collect([this](metrics::ExpositionWriter& writer) {
          writer.family("backend_answers_waiting", metrics::Type::gauge,
                        "Answers that wait for their latency, for CPU time, or for the end of a silence.");
          writer.sample(static_cast<double>(later_.waiting()));
        })) {}

  ~Impl() {
    // Tasks first: they hold exchanges of the server.
    later_.stop();
    streams_.close();
    server_.reset();
  }

  Result<void> start() {
    server::Router router;
    add_answers(router);
    add_controls(router);
    Result<server::Handler> handler = std::move(router).handler();
    if (!handler) return std::move(handler).error();
    server::Settings settings;
    settings.listen = {{.address = settings_.listen}};
    settings.loops = 1;
    settings.name = "trunkline-backend";
    settings.on_request = [this](const server::LogEntry& entry) { count(entry); };
    Result<std::unique_ptr<server::Server>> server = server::Server::start(std::move(settings), *std::move(handler));
    if (!server) return std::move(server).error();
    server_ = *std::move(server);
    return {};
  }

  const std::string& address() const { return server_->addresses().front(); }

  bool drain(Duration limit) {
    draining_ = true;
    later_.hurry();
    streams_.close();
    return server_->drain(limit);
  }

 private:
  void add_answers(server::Router& router);
  void add_controls(server::Router& router);
  void count(const server::LogEntry& entry);
  void answer(server::Exchange exchange, server::Response response);
  void echo(server::Request request, server::Exchange exchange);
  void metrics_page(const server::Request& request, server::Exchange exchange);
  server::Response shed(const server::Request& request);
  server::Response fall_silent(const server::Request& request);

  const Settings settings_;
  Instruments instruments_;
  std::atomic<bool> draining_{false};
  std::mutex mutex_;  // silence_
  Silence silence_;
  Later later_;
  EventStreams streams_;
  Sessions sessions_;
  metrics::Registry::Collector waiting_;
  std::unique_ptr<server::Server> server_;
};

void Backend::Impl::add_answers(server::Router& router) {
  router.get("/", [this](const server::Request& request, server::Exchange exchange) {
    answer(std::move(exchange),
           text_response(200, "trunkline backend at " + request.authority + ", process " + std::to_string(getpid())));
  });
  for (const std::string_view method : {"POST", "PUT"}) {
    router.add(method, "/echo", [this](server::Request request, server::Exchange exchange) {
      echo(std::move(request), std::move(exchange));
    });
  }
  router.get("/events",
             [this](const server::Request&, server::Exchange exchange) { streams_.add(std::move(exchange)); });
  router.get(websocket_path, [this](const server::Request& request, server::Exchange exchange) {
    if (!request.wants_websocket) {
      server::Response response = server::plain_response(426, "this is for WebSockets");
      response.headers.add("Upgrade", "websocket");
      return exchange.respond(std::move(response));
    }
    exchange.accept_websocket(Sessions::websocket_settings(), sessions_.make());
  });
  router.get("/healthz", [this](const server::Request&, server::Exchange exchange) {
    exchange.respond(draining_ ? text_response(503, "draining") : text_response(200, "ok"));
  });
  router.get("/metrics", [this](const server::Request& request, server::Exchange exchange) {
    metrics_page(request, std::move(exchange));
  });
}

void Backend::Impl::add_controls(server::Router& router) {
  router.post("/shed", [this](const server::Request& request, server::Exchange exchange) {
    exchange.respond(of_another_site(request) ? not_from_there() : shed(request));
  });
  router.post("/silence", [this](const server::Request& request, server::Exchange exchange) {
    exchange.respond(of_another_site(request) ? not_from_there() : fall_silent(request));
  });
}

void Backend::Impl::count(const server::LogEntry& entry) {
  const std::string_view route = route_of(entry.path);
  instruments_.requests.with({route, std::to_string(entry.status)}).add();
  if (route == "/" || route == "/echo") {
    instruments_.request_seconds.observe(std::chrono::duration<double>(entry.took).count());
  }
}

// At once, or after the latency and the CPU time that were asked for.
void Backend::Impl::answer(server::Exchange exchange, server::Response response) {
  if (settings_.latency == Duration::zero() && settings_.cpu == Duration::zero()) {
    return exchange.respond(std::move(response));
  }
  auto kept = std::make_shared<server::Exchange>(std::move(exchange));
  const bool waits = later_.at(Clock::now() + settings_.latency, [this, kept, response]() mutable {
    burn(settings_.cpu);
    kept->respond(std::move(response));
  });
  if (waits) return;
  server::Response busy = server::plain_response(503, "too much work waits here");
  busy.headers.add("Retry-After", "1");
  kept->respond(std::move(busy));
}

void Backend::Impl::echo(server::Request request, server::Exchange exchange) {
  const std::string type(request.headers.get("Content-Type").value_or("application/octet-stream"));
  if (request.body.empty()) return answer(std::move(exchange), {200, type, ""});
  struct Reading {
    server::RequestBody body;
    server::Exchange exchange;
  };
  auto reading = std::make_shared<Reading>(Reading{std::move(request.body), std::move(exchange)});
  reading->body.read_all(longest_echo, [this, reading, type](Result<std::string> body) {
    if (body) return answer(std::move(reading->exchange), {200, type, *std::move(body)});
    const bool too_large = body.error().code == ErrorCode::limit_exceeded;
    reading->exchange.respond(server::plain_response(too_large ? 413 : 400, body.error().message));
  });
}

void Backend::Impl::metrics_page(const server::Request& request, server::Exchange exchange) {
  const auto page = [this, accept = std::string(request.headers.get("Accept").value_or("")),
                     coding = std::string(request.headers.get("Accept-Encoding").value_or(""))] {
    metrics::Page served = metrics::serve_page(instruments_.registry, accept, coding);
    server::Response response{200, served.content_type, std::move(served.body)};
    response.headers.add("Vary", "Accept, Accept-Encoding");
    if (!served.content_encoding.empty()) response.headers.add("Content-Encoding", served.content_encoding);
    return response;
  };
  std::optional<Silence::Now> silent;
  {
    const std::lock_guard lock(mutex_);
    silent = silence_.at(Clock::now());
  }
  if (!silent || draining_) return exchange.respond(page());
  instruments_.silenced.add();
  auto kept = std::make_shared<server::Exchange>(std::move(exchange));
  const bool hangs =
      silent->kind == SilenceKind::hang && later_.at(silent->until, [kept, page] { kept->respond(page()); });
  if (!hangs) kept->respond(server::plain_response(503, "silent on purpose"));
}

server::Response Backend::Impl::shed(const server::Request& request) {
  const auto count = whole_number(parameter(request, "count").value_or("1"), most_shed);
  const auto code = whole_number(parameter(request, "code").value_or("1012"), 4999);
  if (!count) return server::plain_response(400, "count: want a whole number up to a million");
  if (!code || (*code != 1001 && *code != 1012)) return server::plain_response(400, "code: want 1001 or 1012");
  const std::size_t told = sessions_.shed(*count, static_cast<std::uint16_t>(*code));
  return {200, "application/json", "{\"shed\":" + std::to_string(told) + "}\n"};
}

server::Response Backend::Impl::fall_silent(const server::Request& request) {
  const auto seconds = parse_duration(parameter(request, "seconds").value_or(""));
  const std::string how = parameter(request, "how").value_or("hang");
  if (!seconds || *seconds > longest_silence) {
    return server::plain_response(400, "seconds: want a time up to a day, such as ?seconds=10; 0 ends a silence");
  }
  if (how != "hang" && how != "fail") return server::plain_response(400, "how: want hang or fail");
  const std::lock_guard lock(mutex_);
  silence_.fall(how == "hang" ? SilenceKind::hang : SilenceKind::fail, *seconds, Clock::now());
  return {200, "application/json", "{\"silent_for\":" + json_string(print_duration(*seconds)) + "}\n"};
}

Backend::Backend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Backend::~Backend() = default;

Result<std::unique_ptr<Backend>> Backend::start(const Settings& settings) {
  if (Result<void> good = check(settings); !good) return good.error();
  auto impl = std::make_unique<Impl>(settings);
  if (Result<void> started = impl->start(); !started) return started.error();
  return std::unique_ptr<Backend>(new Backend(std::move(impl)));
}

const std::string& Backend::address() const { return impl_->address(); }

bool Backend::drain(Duration limit) { return impl_->drain(limit); }

}  // namespace trunkline::backend
