#include "doctor_flags.h"

#include <CLI/CLI.hpp>

#include <limits>

#include "run_flags.h"

namespace trunkline::cli {
namespace {

constexpr const char* doctor_help =
    R"(Any program, not only ours: it looks at the kernel's table of sockets twice, --interval apart, and between
the looks for connections that live briefly. It sends nothing, but for one question to a Trunkline that runs here.

  DESTINATION   who is dialled, or the port of ours that is
  OPEN          connections that are established, or about to be
  TIME_WAIT     closed within the last minute
  DIALS/S       new connections, in the interval
  PORTS         local ports that this destination takes, of those there are

Unprivileged it sees every socket, but not whose those of other users are. --pid also shows what is dialled by the
process's children, and looks into the process's own network namespace (a container's).

Examples
  sudo trunkline doctor
  trunkline doctor --pid 4711 --watch --interval 5s
  trunkline doctor --json | jq -r '.findings[].sentence'

Exit codes: 0 nothing to say, 1 a warning, 2 misuse, 10 to 16 --url or --login gave nothing, 13 also when
no socket could be looked at, 23 the output cannot be written.)";

}  // namespace

CLI::App* add_doctor(CLI::App& app, DoctorFlags& flags) {
  CLI::App* doctor = app.add_subcommand("doctor", "who on this machine dials too often, and what it costs");
  CLI::Option* pid = doctor->add_option("--pid", flags.pid, "this process, and its children")
                         ->take_last()
                         ->type_name("N")
                         ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  doctor->add_flag("--all", flags.all, "every process (the default)")->excludes(pid);
  doctor->add_flag("--watch", flags.watch, "again and again, until Ctrl-C");
  doctor->add_option("--interval", flags.interval, "between two looks, default 2s, at most 60s")
      ->take_last()
      ->type_name("TIME");
  doctor->add_flag("--json", flags.json, "a JSON object instead of the table, one a line");
  doctor
      ->add_option("--url", flags.url,
                   "the admin address of a running Trunkline; default http://127.0.0.1:9600, if there is one")
      ->take_last()
      ->type_name("URL");
  add_login_flags(*doctor, flags.ask);
  doctor->footer(doctor_help);
  return doctor;
}

}  // namespace trunkline::cli
