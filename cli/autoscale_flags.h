// The flags of `trunkline autoscale ...`, apart from the others because they share nothing with them.
#pragma once

#include "autoscale_settings.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not our name
class App;
}  // namespace CLI

namespace trunkline::cli {

// The parser's subcommand `autoscale`; flags.command is set when one of its own subcommands is given.
CLI::App* add_autoscale(CLI::App& app, AutoscaleFlags& flags);

}  // namespace trunkline::cli
