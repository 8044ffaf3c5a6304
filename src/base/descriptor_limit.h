// How many files and sockets this process may have open. The 1,024 of most shells and services are meant for programs
// that call select(); of them the library would take 256 for its connections, which a fleet of 300 targets has used up.
#pragma once

#include <sys/resource.h>

#include <optional>

namespace trunkline {

// To what the system permits. Once, before there are threads.
void raise_descriptor_limit();

// What it was before, if it was raised: processes that are started from here are owed it, for some of them walk through
// all descriptors there could be, or hold them in an fd_set.
const std::optional<rlimit>& descriptor_limit_before();

}  // namespace trunkline
