// A few threads for what is too slow for a loop.
#pragma once

#include <trunkline/callback.hpp>

namespace trunkline::net {

// Runs `work` on a worker thread (at most 4 in the process).
void run_on_worker(Callback<void()> work);

}  // namespace trunkline::net
