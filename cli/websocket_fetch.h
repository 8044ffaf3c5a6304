// trunkline fetch ws://...: sends the messages of --ws-message, prints what comes back, and closes.
#pragma once

#include <trunkline/options.hpp>

#include "plan.h"
#include "settings.h"

namespace trunkline::cli {

// Whether the plan is of WebSockets: all of its URLs are, or none; an error where they are mixed, or where flags were
// given that mean nothing there.
Result<bool> is_websocket_plan(const FetchFlags& flags, const Plan& plan);

int run_websockets(const FetchFlags& flags, const Plan& plan, const Options& options);  // the exit code

}  // namespace trunkline::cli
