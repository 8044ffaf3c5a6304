#include "demo_flags.h"

#include <CLI/CLI.hpp>

namespace trunkline::cli {
namespace {

constexpr const char* demo_help =
    R"(A fleet of `trunkline backend` processes on loopback, of which each is for 20 WebSockets, grows and shrinks with
the traffic; four collectors scrape it over one transport; now and then a backend falls silent, which must move
nothing. Backends that leave send their clients away, and these come back elsewhere. It ends after --seconds, or
at Ctrl-C, with a summary, and leaves nothing behind.

Traffic
  waves    from 20 to 140 WebSockets and back in 40 s
  steady   80 WebSockets
  spike    20, and 140 at once for a third of each 40 s

Examples
  trunkline demo                              and look at http://127.0.0.1:9600/ meanwhile
  trunkline demo --seconds 60 --json          the summary for programs
  trunkline demo --seconds 30 --naive         the same clients, with a new transport for every call: compare the dials,
                                              the sockets in TIME_WAIT, p99 and the CPU time

Exit codes: 0; 2 misuse, or an address that cannot be listened at; 23 the output cannot be written.)";

}  // namespace

CLI::App* add_demo(CLI::App& app, DemoFlags& flags) {
  CLI::App* demo = app.add_subcommand("demo", "all of it at once, on loopback, with traffic that is made up");
  demo->add_option("--traffic", flags.traffic, "waves, steady or spike")
      ->take_last()
      ->type_name("SHAPE")
      ->capture_default_str()
      ->check(CLI::IsMember({"waves", "steady", "spike"}));
  demo->add_option("--seconds", flags.seconds, "end after so long; otherwise at Ctrl-C")->take_last()->type_name("N");
  demo->add_flag("--naive", flags.naive, "clients with a new transport for every call");
  demo->add_flag("--json", flags.json, "the summary as one JSON object, and nothing before it");
  demo->add_option("--listen", flags.listen, "where the console is; \"\": nowhere; port 0: one that is free")
      ->take_last()
      ->type_name("HOST:PORT")
      ->capture_default_str();
  demo->add_option("--login", flags.login_file, "a file with user:password, or with a token, that the console asks for")
      ->take_last()
      ->type_name("FILE");
  demo->add_flag("--unprotected", flags.unprotected, "other machines may look without, where --listen lets them");
  demo->add_option("--first-port", flags.first_port, "the backends take ports from here on, of 64")
      ->take_last()
      ->type_name("PORT")
      ->capture_default_str()
      ->check(CLI::Range(1024, 65'000));
  demo->footer(demo_help);
  return demo;
}

}  // namespace trunkline::cli
