// The command line as text into the structs of settings.h. With autoscale_flags.cc and
// run_flags.cc the only source that meets CLI11.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "autoscale_settings.h"
#include "backend.h"
#include "demo.h"
#include "doctor_flags.h"
#include "run_settings.h"
#include "settings.h"

namespace trunkline::cli {

// What to print and with which code to end, when there is nothing to run: help, the version, or a mistake.
struct Answer {
  int code = 0;
  std::string out;
  std::string err;
};

using CommandLine =
    std::variant<Answer, FetchFlags, UrlFlags, LoadFlags, MetricsCheckFlags, ScrapeFlags, AutoscaleFlags, BackendFlags,
                 DemoFlags, RunFlags, ConfigFlags, StatusFlags, ExplainFlags, DoctorFlags>;

CommandLine parse_command_line(const std::vector<std::string>& arguments);  // without the program's name

}  // namespace trunkline::cli
