// The way to the targets of each job: a shared transport that is large enough for all of them, and the job's
// credentials. Used by the collector's thread only.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <trunkline/client.hpp>

#include "services/scrape/credentials.h"
#include "services/scrape/schedule.h"
#include "services/scrape/target.h"

namespace trunkline::scrape {

// Room for every target, so that no cycle closes what the next one needs: visited in turn, one target more than there
// is room would cost all of them their connection.
int idle_capacity(std::size_t targets, int at_least);

// A job's options: its TLS and proxy, room for `targets`, and an idle time that outlasts a missed cycle.
Options options_for(const Options& base, const Job& job, std::size_t targets, Duration interval);

class Lanes {
 public:
  struct Lane {
    explicit Lane(const Job& job) : credentials(job) {}
    Credentials credentials;
    std::shared_ptr<Transport> transport;
  };

  Lanes(Options base, Duration interval) : base_(std::move(base)), interval_(interval) {}

  // Once a cycle: lanes for these targets and no others, changed files read. `others`: targets of other collectors in
  // this process, whose connections share the room.
  void prepare(const std::vector<TargetPtr>& targets, std::size_t others);
  // Of a target that prepare() was told.
  Lane& of(const Target& target);
  std::vector<std::shared_ptr<Transport>> transports() const;

 private:
  const Options base_;
  const Duration interval_;
  std::map<std::string, std::unique_ptr<Lane>> lanes_;  // by access key
  // Until the next cycle has used the new ones: with the last transport of a route its idle connections would go.
  std::vector<std::shared_ptr<Transport>> before_;
};

}  // namespace trunkline::scrape
