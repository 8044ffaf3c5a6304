#include "backend_flags.h"

#include <CLI/CLI.hpp>

namespace trunkline::cli {
namespace {

constexpr const char* backend_help = R"(What it serves
  GET  /          a line of text, with the process that answers
  POST /echo      the body, at most 1MiB
  GET  /events    server-sent events: a tick each second
       /ws        a WebSocket that echoes
  GET  /healthz   200, or 503 while it drains
  GET  /metrics   active_ws_connections, exact after every kind of close; requests, process figures
  POST /shed?count=N[&code=1001]      closes N WebSockets, the oldest first, with 1012 (or 1001)
  POST /silence?seconds=N[&how=fail]  /metrics hangs (or answers 503) for so long: a scrape gap on purpose

On SIGTERM or Ctrl-C it drains: /healthz says 503, nothing new is accepted, WebSockets are closed with 1001. A second
signal ends it at once.

Examples
  trunkline backend --listen 127.0.0.1:8080
  trunkline fetch ws://127.0.0.1:8080/ws --ws-message hello
  trunkline scrape 127.0.0.1:8080 --interval 2s --cycles 3 --want active_
  trunkline backend --cpu 5ms                          200 answers a second and no more: something to scale by
  trunkline backend --leak 0.1                         a gauge that drifts up, for trying a leak detector
  trunkline backend --silent-after 20s --silent-for 10s      scrapers meet a gap, clients do not
  curl -X POST 'http://127.0.0.1:8080/shed?count=10'   ten clients have to connect elsewhere

Exit codes: 0 drained; 1 something was cut off at the end of --drain; 2 misuse, or the address cannot be listened at.)";

}  // namespace

CLI::App* add_backend(CLI::App& app, BackendFlags& flags) {
  CLI::App* backend = app.add_subcommand("backend", "a server to be scraped, scaled, drained and misled by");
  const auto add = [backend](const char* name, auto& field, const char* help, const char* value, const char* group) {
    return backend->add_option(name, field, help)->take_last()->type_name(value)->capture_default_str()->group(group);
  };
  add("--listen", flags.listen, "where; port 0: one that is free, see the first line", "HOST:PORT", "Options");
  add("--drain", flags.drain, "how long clients have to leave after SIGTERM", "TIME", "Options");
  backend->add_flag("-q,--quiet", flags.quiet, "no line when it listens")->group("Options");
  const char* slow = "Slow";
  add("--latency", flags.latency, "before each answer of /, /echo and /ws", "TIME", slow);
  add("--cpu", flags.cpu, "CPU time burnt for each of these, on one thread", "TIME", slow);
  const char* misled = "Wrong on purpose";
  add("--leak", flags.leak, "this part of closed WebSockets stays in the gauge, 0 to 1", "PART", misled);
  add("--silent-after", flags.silent_after, "/metrics falls silent so long after the start", "TIME", misled);
  add("--silent-for", flags.silent_for, "for so long", "TIME", misled);
  add("--silence", flags.silence, "what a scrape meets then: hang or fail", "KIND", misled)
      ->check(CLI::IsMember({"hang", "fail"}));
  backend->footer(backend_help);
  return backend;
}

}  // namespace trunkline::cli
