// The flags of `trunkline doctor`, as they were written.
#pragma once

#include <optional>
#include <string>

#include "run_settings.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not our name
class App;
}  // namespace CLI

namespace trunkline::cli {

struct DoctorFlags {
  std::optional<int> pid;
  bool all = false;  // the default, said aloud
  bool watch = false;
  std::string interval = "2s";
  bool json = false;
  AskFlags ask;     // its login and its roots
  std::string url;  // of a running Trunkline; empty: where one usually is, and no word when there is none
};

CLI::App* add_doctor(CLI::App& app, DoctorFlags& flags);

}  // namespace trunkline::cli
