// How many files and sockets this process may have open.
#pragma once

namespace trunkline::cli {

// Raises the limit to what the system permits. The 1,024 of most shells and services are meant for programs that call
// select(); of them the library would take 256 for its connections, which a fleet of 300 targets has used up.
void raise_descriptor_limit();

}  // namespace trunkline::cli
