// The subcommands run, config, status and explain for the command line.
#pragma once

#include "run_settings.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not our name
class App;
}  // namespace CLI

namespace trunkline::cli {

CLI::App* add_run(CLI::App& app, RunFlags& flags);
CLI::App* add_config(CLI::App& app, ConfigFlags& flags);  // the group; its commands set flags.command
CLI::App* add_status(CLI::App& app, StatusFlags& flags);
// --login and --cacert, of all commands that ask a process that is running.
void add_login_flags(CLI::App& app, AskFlags& flags);
// Also below `autoscale`, where people look for it.
CLI::App* add_explain(CLI::App& app, ExplainFlags& flags);

}  // namespace trunkline::cli
