#include "autoscale_flags.h"

#include <CLI/CLI.hpp>

#include "autoscale_help.h"

namespace trunkline::cli {
namespace {

CLI::App* add_command(CLI::App& parent, AutoscaleFlags& flags, const std::string& name, const std::string& what,
                      const std::string& footer) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->footer(footer);
  command->callback([&flags, name] { flags.command = name; });
  return command;
}

template <class T>
CLI::Option* add(CLI::App& app, const std::string& names, T& field, const std::string& help, const std::string& value) {
  return app.add_option(names, field, help)->take_last()->type_name(value)->capture_default_str();
}

void add_simulate(CLI::App& app, AutoscaleFlags& flags) {
  CLI::App* simulate = add_command(app, flags, "simulate", "try policies on a recording or on made-up demand",
                                   autoscale_simulate_help());
  simulate->add_option("--policy", flags.policies, "a policy, native or as --compat says; again to compare several")
      ->allow_extra_args(false)
      ->required()
      ->type_name("FILE");
  add(*simulate, "--input", flags.input, "a recording, a JSON object a line; - is stdin", "FILE");
  add(*simulate, "--generate", flags.generate, "made-up demand: step ramp spike sine gap rollout leak", "SHAPE");
  add(*simulate, "--compat", flags.compat, "refuse policies of another form: native, hpa or kthena", "FORM")
      ->check(CLI::IsMember({"native", "hpa", "kthena"}));
  simulate->add_flag("--json", flags.json, "one decision record a line, and no table");
  add(*simulate, "--html", flags.html, "a report with charts, in one file", "FILE");
  simulate->add_flag("--closed-loop", flags.closed_loop,
                     "of a recording: start each decision from what the policy asked for, not from what really was");
  simulate->add_flag("--all", flags.all_rows, "every moment in the table, not only where something happens");
  simulate->add_flag("--plot", flags.plot, "the plot even when this is no terminal");
  add(*simulate, "--record", flags.record, "write what the first policy was shown, as a recording", "FILE");

  const std::string made_up = "Made-up demand, in replicas that are exactly at their target";
  simulate->add_option("--low", flags.low, "the calm")
      ->check(CLI::Range(0.0, 100'000.0))
      ->capture_default_str()
      ->group(made_up);
  simulate->add_option("--high", flags.high, "the crowd")
      ->check(CLI::Range(0.0, 100'000.0))
      ->capture_default_str()
      ->group(made_up);
  simulate->add_option("--start", flags.start, "replicas at the start; default: what the demand needs")
      ->check(CLI::Range(0, 100'000))
      ->group(made_up);
  for (const auto& [names, field, help] :
       {std::tuple("--length", &flags.length, "how long it goes on"),
        std::tuple("--interval", &flags.interval, "between decisions"),
        std::tuple("--startup", &flags.startup, "from wanted to ready, for each pod")}) {
    simulate->add_option(names, *field, help)->take_last()->type_name("TIME")->capture_default_str()->group(made_up);
  }
}

}  // namespace

CLI::App* add_autoscale(CLI::App& app, AutoscaleFlags& flags) {
  CLI::App* autoscale = app.add_subcommand("autoscale", "try, show, import and check autoscaling policies");
  autoscale->footer(autoscale_help());
  add_simulate(*autoscale, flags);
  CLI::App* show =
      add_command(*autoscale, flags, "show", "the effective policy, every default written out", autoscale_show_help());
  CLI::App* import = add_command(*autoscale, flags, "import",
                                 "a HorizontalPodAutoscaler, ScaledObject or "
                                 "AutoscalingPolicy as a native policy",
                                 autoscale_import_help());
  CLI::App* lint = add_command(*autoscale, flags, "lint", "patterns that are known to go wrong", autoscale_lint_help());
  for (CLI::App* command : {show, import, lint}) {
    command->add_option("FILE", flags.files, "YAML or JSON, one document or many; - is stdin")
        ->required()
        ->type_name("");
  }
  lint->add_flag("--json", flags.json, "one finding a line");
  add(*lint, "--interval", flags.interval, "between scrapes and decisions", "TIME");
  add(*lint, "--server-keep-alive", flags.server_keep_alive, "how long the scraped servers keep idle connections",
      "TIME");
  return autoscale;
}

}  // namespace trunkline::cli
