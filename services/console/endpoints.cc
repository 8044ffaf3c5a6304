// The paths of the API and the page: who asks what, and which view answers.
#include <charconv>
#include <utility>

#include "embedded/console.h"
#include "server/assets.h"
#include "server/path.h"
#include "services/autoscale_files/policy_file.h"
#include "services/console/connections_view.h"
#include "services/console/console.h"
#include "services/console/guard.h"
#include "services/console/simulate.h"

namespace trunkline::console {
namespace {

using server::Exchange;
using server::Request;
using server::Response;

constexpr std::size_t decisions_default = 50;
constexpr std::size_t decisions_limit = 500;

Response json_response(std::string body, int status = 200) {
  Response response(status, "application/json", std::move(body) + "\n");
  response.headers.set("Cache-Control", "no-store");
  return response;
}

Response error_response(int status, std::string_view sentence) { return json_response(error_json(sentence), status); }

Response no_fleet(std::string_view name) {
  return error_response(404, "there is no fleet named " + std::string(name) + "; GET /api/v1/fleets lists them");
}

// The number that the query gives `name`, as in "after=12&limit=50".
std::optional<std::uint64_t> number_of(std::string_view query, std::string_view name) {
  for (const auto& [key, digits] : server::query_pairs(query)) {
    if (key != name) continue;
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (failure == std::errc() && end == digits.data() + digits.size()) return number;
  }
  return std::nullopt;
}

class StreamSink final : public Sink {
 public:
  explicit StreamSink(server::BodyWriter writer) : writer_(std::move(writer)) {}
  // In order when the console stops; a slow one is cut, as what it has not read yet would only keep it waiting.
  ~StreamSink() override {
    if (!slow_) writer_.finish();
  }
  bool write(std::string_view bytes) override {
    const auto sent = writer_.write(bytes);
    slow_ = sent == server::BodyWriter::Sent::full;
    return sent == server::BodyWriter::Sent::taken;
  }

 private:
  bool slow_ = false;
  server::BodyWriter writer_;
};

using ConsolePtr = std::shared_ptr<Console>;
using View = Response (*)(Console&, const Request&);

std::vector<scrape::SnapshotPtr> snapshots_of(Console& console) {
  return console.sources().targets ? console.sources().targets() : std::vector<scrape::SnapshotPtr>();
}

Stats stats_of(Console& console) { return console.sources().transport ? console.sources().transport() : Stats(); }

std::optional<autoscale::FleetStatus> fleet_of(Console& console, std::string_view name) {
  if (console.sources().fleets == nullptr) return std::nullopt;
  for (autoscale::FleetStatus& fleet : console.sources().fleets->fleets()) {
    if (fleet.name == name) return std::move(fleet);
  }
  return std::nullopt;
}

Response show_status(Console& console, const Request&) {
  return json_response(status_json(console.sources().process ? console.sources().process() : ProcessFacts()));
}

Response show_transport(Console& console, const Request&) {
  return json_response(transport_json(stats_of(console), seconds_since_1970(Now::read().wall)));
}

Response show_connections(Console& console, const Request& request) {
  ConnectionQuery query;
  for (const auto& [name, value] : server::query_pairs(request.query)) {
    if (name == "route") query.route = value;
    if (name == "key") query.key = value;
  }
  const std::uint64_t most = number_of(request.query, "limit").value_or(connections_default);
  query.most = std::min<std::uint64_t>(most, connections_limit);
  const auto& source = console.sources().connections;
  return json_response(
      connections_json(source ? source(query) : ConnectionList(), seconds_since_1970(Now::read().wall)));
}

Response show_differences(Console& console, const Request& request) {
  std::string a;
  std::string b;
  for (const auto& [name, value] : server::query_pairs(request.query)) {
    if (name == "a") a = value;
    if (name == "b") b = value;
  }
  if (!console.sources().differences) return error_response(404, "this process does not know the options of its pools");
  const auto changes = console.sources().differences(a, b);
  return changes ? json_response(differences_json(*changes)) : error_response(404, changes.error().message);
}

Response show_targets(Console& console, const Request&) {
  return json_response(targets_json(snapshots_of(console), Now::read(), targets_limit));
}

Response show_latencies(Console& console, const Request&) {
  return json_response(latencies_json(console.watch().latencies()));
}

Response show_advice(Console& console, const Request&) {
  return json_response(advice_json(stats_of(console), snapshots_of(console)));
}

Response show_fleets(Console& console, const Request&) {
  if (console.sources().fleets == nullptr) return json_response("[]");
  return json_response(fleets_json(console.sources().fleets->fleets()));
}

Response show_fleet(Console& console, const Request& request) {
  const std::string_view name = request.parameters.get("name");
  const auto fleet = fleet_of(console, name);
  return fleet ? json_response(fleet_json(*fleet)) : no_fleet(name);
}

Response show_decisions(Console& console, const Request& request) {
  const std::string_view name = request.parameters.get("name");
  if (!fleet_of(console, name)) return no_fleet(name);
  const std::uint64_t after = number_of(request.query, "after").value_or(0);
  const std::uint64_t most = number_of(request.query, "limit").value_or(decisions_default);
  const bool whole = number_of(request.query, "pods").value_or(1) != 0;
  const std::size_t limit = std::min<std::uint64_t>(most, decisions_limit);
  return json_response(decisions_json(console.sources().fleets->decisions(name, after, limit), whole));
}

Response show_policy(Console& console, const Request& request) {
  const std::string_view name = request.parameters.get("name");
  const auto policy = console.sources().fleets == nullptr ? std::nullopt : console.sources().fleets->policy(name);
  if (!policy) return no_fleet(name);
  Response response(200, "application/yaml; charset=utf-8", autoscale::print_policy(*policy));
  response.headers.set("Cache-Control", "no-store");
  return response;
}

Response show_history(Console& console, const Request&) { return json_response(console.watch().transport_history()); }

Response show_route_history(Console& console, const Request& request) {
  std::string route;
  std::string key;
  for (const auto& [name, value] : server::query_pairs(request.query)) {
    if (name == "route") route = value;
    if (name == "key") key = value;
  }
  auto history = console.watch().route_history(route, key);
  return history ? json_response(*std::move(history))
                 : error_response(404,
                                  "no such route is remembered; give ?route=...&key=... as GET /api/v1/transport has "
                                  "them, percent-encoded");
}

Response show_fleet_history(Console& console, const Request& request) {
  const std::string_view name = request.parameters.get("name");
  auto history = console.watch().fleet_history(name);
  return history ? json_response(*std::move(history)) : no_fleet(name);
}

Response protected_response(Response response) {
  protect(response.headers);
  return response;
}

// Why this request gets no answer, or nothing.
std::optional<Response> refusal(const Console& console, const Request& request, bool page) {
  if (request.peer != "unix" && !host_allowed(request.authority, console.sources().hosts)) {
    return error_response(421,
                          "this console is not known under that name: ask localhost, an address, or a name that "
                          "its configuration lists");
  }
  if (!page && !same_site(request.headers, request.authority)) {
    return error_response(403, "a page of another site asked; only the console's own page may");
  }
  return std::nullopt;
}

server::Handler view_handler(const ConsolePtr& console, View view) {
  return [console, view](const Request& request, Exchange exchange) {
    Response response = error_response(503, "the console is being stopped");
    if (auto refused = refusal(*console, request, false)) {
      response = std::move(*refused);
    } else {
      console->while_running([&] { response = view(*console, request); });
    }
    exchange.respond(protected_response(std::move(response)));
  };
}

void stream_events(const ConsolePtr& console, const Request& request, Exchange exchange) {
  if (auto refused = refusal(*console, request, false)) {
    exchange.respond(protected_response(std::move(*refused)));
    return;
  }
  if (!console->events().room()) {
    Response busy = error_response(503, "so many streams are open already; close one, or try later");
    busy.headers.set("Retry-After", "10");
    exchange.respond(protected_response(std::move(busy)));
    return;
  }
  Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
  protect(headers);
  auto sink = std::make_unique<StreamSink>(exchange.start(200, std::move(headers)));
  console->events().add(std::move(sink), request.headers.get("last-event-id").value_or(""));
}

Response simulated(Console& console, const std::string& name, const std::string& policy, bool closed_loop) {
  bool known = false;
  std::vector<autoscale::DecisionPtr> past;
  const bool running = console.while_running([&] {
    known = fleet_of(console, name).has_value();
    if (known) past = console.sources().fleets->decisions(name, 0, simulated_decisions_limit);
  });
  if (!running) return error_response(503, "the console is being stopped");
  if (!known) return no_fleet(name);
  auto result = simulate(policy, past, closed_loop);
  return result ? json_response(*std::move(result)) : error_response(422, result.error().message);
}

void start_simulation(const ConsolePtr& console, Request request, Exchange exchange) {
  if (auto refused = refusal(*console, request, false)) {
    exchange.respond(protected_response(std::move(*refused)));
    return;
  }
  const bool closed_loop = number_of(request.query, "closed_loop").value_or(1) != 0;
  auto held = std::make_shared<Exchange>(std::move(exchange));
  auto done = [console, held, closed_loop,
               name = std::string(request.parameters.get("name"))](Result<std::string> body) mutable {
    if (!body) {
      const bool large = body.error().code == ErrorCode::limit_exceeded;
      held->respond(protected_response(error_response(large ? 413 : 400, body.error().message)));
      return;
    }
    Callback<void()> work = [console = console.get(), held, closed_loop, name = std::move(name),
                             policy = std::move(*body)] {
      held->respond(protected_response(simulated(*console, name, policy, closed_loop)));
    };
    if (!console->workshop().take(std::move(work))) {
      held->respond(protected_response(error_response(429, "other simulations are under way: try again soon")));
    }
  };
  if (request.body.empty()) {
    done(std::string());
  } else {
    request.body.read_all(policy_bytes_limit, std::move(done));
  }
}

server::Handler page_handler(const ConsolePtr& console, std::string prefix) {
  auto assets = std::make_shared<const server::Assets>(embedded::console_files());
  return [console, assets, prefix = std::move(prefix)](const Request& request, Exchange exchange) {
    auto refused = refusal(*console, request, true);
    Response response = refused ? std::move(*refused)
                                : assets->answer(prefix + std::string(request.parameters.get("path")), request.headers);
    exchange.respond(protected_response(std::move(response)));
  };
}

}  // namespace

std::shared_ptr<Console> add_console(server::Router& router, ConsoleSources sources, const ConsoleSettings& settings) {
  auto console = std::make_shared<Console>(std::move(sources), settings);
  constexpr std::pair<const char*, View> views[] = {
      {"/api/v1/status", show_status},
      {"/api/v1/transport", show_transport},
      {"/api/v1/connections", show_connections},
      {"/api/v1/pools/differences", show_differences},
      {"/api/v1/targets", show_targets},
      {"/api/v1/latencies", show_latencies},
      {"/api/v1/advice", show_advice},
      {"/api/v1/fleets", show_fleets},
      {"/api/v1/fleets/{name}", show_fleet},
      {"/api/v1/fleets/{name}/decisions", show_decisions},
      {"/api/v1/fleets/{name}/policy", show_policy},
      {"/api/v1/fleets/{name}/history", show_fleet_history},
      {"/api/v1/history", show_history},
      {"/api/v1/routes/history", show_route_history},
  };
  for (const auto& [pattern, view] : views) router.get(pattern, view_handler(console, view));
  router.get("/api/v1/events", [console](const Request& request, Exchange exchange) {
    stream_events(console, request, std::move(exchange));
  });
  router.post("/api/v1/fleets/{name}/simulate", [console](Request request, Exchange exchange) {
    start_simulation(console, std::move(request), std::move(exchange));
  });
  router.get("/", page_handler(console, "index.html"));
  router.get("/assets/{path...}", page_handler(console, "assets/"));
  return console;
}

}  // namespace trunkline::console
