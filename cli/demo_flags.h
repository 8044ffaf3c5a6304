// The flags of `trunkline demo`.
#pragma once

#include "demo.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not our name
class App;
}  // namespace CLI

namespace trunkline::cli {

CLI::App* add_demo(CLI::App& app, DemoFlags& flags);

}  // namespace trunkline::cli
