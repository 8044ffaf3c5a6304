// The flags of `trunkline backend`.
#pragma once

#include "backend.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not our name
class App;
}  // namespace CLI

namespace trunkline::cli {

CLI::App* add_backend(CLI::App& app, BackendFlags& flags);

}  // namespace trunkline::cli
