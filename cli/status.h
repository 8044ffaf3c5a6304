// trunkline status: a running process in tables.
#pragma once

#include <string>

#include "run_settings.h"
#include "services/config/document.h"

namespace trunkline::cli {

int run_status(const StatusFlags& flags);  // the exit code

// What the API answers to /status, /transport, /targets and /fleets, and where it was asked to /connections, as people
// read it.
struct StatusAnswers {
  config::Node status;
  config::Node transport;
  config::Node targets;
  config::Node fleets;
  config::Node connections = {};
};
std::string status_text(const StatusAnswers& answers);

}  // namespace trunkline::cli
