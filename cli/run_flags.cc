#include "run_flags.h"

#include <CLI/CLI.hpp>

#include "run_help.h"

namespace trunkline::cli {
namespace {

void add_ask_flags(CLI::App& app, AskFlags& flags) {
  add_login_flags(app, flags);
  app.add_option("--url", flags.url, "where its admin listener is")
      ->take_last()
      ->type_name("URL")
      ->capture_default_str();
  app.add_flag("--json", flags.json, "what it answers, as it is");
}

void add_config_command(CLI::App& config, ConfigFlags& flags, const std::string& name, const std::string& what) {
  CLI::App* command = config.add_subcommand(name, what);
  command->add_option("FILE", flags.file, "the configuration; - is stdin")->required()->type_name("");
  command->callback([&flags, name] { flags.command = name; });
}

}  // namespace

void add_login_flags(CLI::App& app, AskFlags& flags) {
  app.add_option("--login", flags.login_file, "a file with user:password, or with a token, where it asks for one")
      ->take_last()
      ->type_name("FILE");
  app.add_option("--cacert", flags.ca_file, "PEM: trust these instead of the system's roots")
      ->take_last()
      ->type_name("FILE");
}

CLI::App* add_run(CLI::App& app, RunFlags& flags) {
  CLI::App* run = app.add_subcommand("run", "scrape, scale and show what a file says");
  run->add_option("-c,--config", flags.file, "what to do, as docs/configuration.md has it")
      ->required()
      ->take_last()
      ->type_name("FILE");
  run->add_option("--log", flags.log, "a line for each event, on stderr: text or json")
      ->take_last()
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORM")
      ->capture_default_str();
  run->footer(run_help());
  return run;
}

CLI::App* add_config(CLI::App& app, ConfigFlags& flags) {
  CLI::App* config = app.add_subcommand("config", "check and print what `run` would read");
  config->footer(config_help());
  add_config_command(*config, flags, "check", "every mistake, with its place");
  add_config_command(*config, flags, "print", "with every default; secrets stay references");
  return config;
}

CLI::App* add_status(CLI::App& app, StatusFlags& flags) {
  CLI::App* status = app.add_subcommand("status", "services, connections, targets and fleets of a running process");
  status->add_flag("--connections", flags.connections,
                   "each connection too: its age, what it carries, why it was opened");
  add_ask_flags(*status, flags.ask);
  status->footer(status_help());
  return status;
}

CLI::App* add_explain(CLI::App& app, ExplainFlags& flags) {
  CLI::App* explain = app.add_subcommand("explain", "why a fleet has as many replicas as it has");
  explain->add_option("FLEET", flags.fleet, "its policy's name; not needed when there is one")->type_name("");
  explain->add_option("--last", flags.last, "so many decisions")
      ->take_last()
      ->check(CLI::Range(1, 500))
      ->type_name("N")
      ->capture_default_str();
  add_ask_flags(*explain, flags.ask);
  explain->footer(explain_help());
  return explain;
}

}  // namespace trunkline::cli
