#include "services/scrape/room.h"

#include <sys/resource.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include <trunkline/transport.hpp>

namespace trunkline::scrape {
namespace {

// As the library takes its share (src/pool/budget.h).
constexpr std::int64_t part_of_files = 4;
constexpr std::int64_t least_sockets = 64;

std::string_view place_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return url.substr(0, url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3));
}

}  // namespace

SocketRoom room_of_this_process() {
  SocketRoom room{.sockets = Transport::shared_stats().sockets_limit};
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
    room.files = static_cast<std::int64_t>(files.rlim_cur);
  }
  return room;
}

std::size_t connections_for(const std::vector<TargetPtr>& targets) {
  std::unordered_set<std::string_view> origins;
  for (const TargetPtr& target : targets) origins.insert(place_of(target->url));
  return origins.size();
}

std::string trouble_with_room(std::size_t connections, const SocketRoom& room) {
  const auto wanted = static_cast<std::int64_t>(connections);
  if (wanted <= room.sockets) return "";
  const bool by_files = room.files > 0 && room.sockets == std::max(room.files / part_of_files, least_sockets);
  const std::string share = by_files
                                ? "a quarter of the " + std::to_string(room.files) + " files that this process may open"
                                : "half of the ephemeral ports, or what TRUNKLINE_SOCKETS says";
  const std::string remedy =
      by_files ? "raise the limit of open files to " + std::to_string(wanted * part_of_files) +
                     " or more (ulimit -n, systemd's LimitNOFILE=)"
               : "set TRUNKLINE_SOCKETS=" + std::to_string(wanted) + " or more, with four files for each (ulimit -n)";
  return std::to_string(wanted) + " targets need a connection each, and there is room for " +
         std::to_string(room.sockets) + " (" + share + "): at least " + std::to_string(wanted - room.sockets) +
         " of them are dialled anew in each cycle; " + remedy + ", or scrape fewer from one process";
}

}  // namespace trunkline::scrape
