// Whether the connections to all targets fit into what this process may hold, and what to do where they do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "services/scrape/target.h"

namespace trunkline::scrape {

struct SocketRoom {
  std::int64_t sockets = 0;  // that the library opens at most, for all transports together
  std::int64_t files = 0;    // RLIMIT_NOFILE; 0: none
};

SocketRoom room_of_this_process();

// One for each origin, however many paths of it are asked.
std::size_t connections_for(const std::vector<TargetPtr>& targets);

// One sentence with the arithmetic and what to do, or nothing where all have room.
std::string trouble_with_room(std::size_t connections, const SocketRoom& room);

}  // namespace trunkline::scrape
