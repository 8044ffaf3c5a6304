// JSON for programs that read what the subcommands print: the services' writer, under a shorter name.
#pragma once

#include "services/config/json_writer.h"

namespace trunkline::cli {

using config::JsonWriter;

}  // namespace trunkline::cli
