// `trunkline run`: a process that does what its file says until it is told to end. SIGHUP reads the file again, SIGTERM
// and SIGINT drain, and the second of them ends at once.
#pragma once

#include <string>

#include "services/run/log.h"

namespace trunkline::run {

struct RunSettings {
  std::string file;
  LogFormat log = LogFormat::text;
};

enum class Ending : unsigned char {
  drained,      // told to end, and nothing was cut off
  cut_off,      // told to end, and something was
  wrong_file,   // the configuration cannot be used; nothing was started
  not_started,  // it could not start
};

// Blocks. To be called before there are other threads. It says on stderr what happened.
Ending run(const RunSettings& settings);

}  // namespace trunkline::run
