// Which transport a request uses: one for all, one from the cache for each, or a private one. take() may be called from
// any thread, the rest when nothing is under way there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <trunkline/client.hpp>

#include "settings.h"
#include "stats_sum.h"

namespace trunkline::cli {

struct Sharing {
  using Maker = std::function<std::shared_ptr<Transport>(const Options&)>;

  bool recreate = false;     // ask anew for each request, as a reconciler does
  bool isolated = false;     // private transports: nothing is shared
  bool environment = false;  // the proxies that the environment names, where the options name none
  Maker shared = &Transport::shared;
  Maker create = &Transport::create;
};

Sharing sharing_of(const FetchFlags& flags);

class Transports {
 public:
  Transports(Options options, Sharing sharing);

  const Options& options() const { return options_; }

  // `other_origin`: a redirect has left the origin that the client certificate and the server name were meant for.
  // `total`: a time limit of the handle, only with `recreate`.
  std::shared_ptr<Transport> take(const std::string& url, bool other_origin, std::optional<Duration> total);
  // The end of its use. A private transport of one request is shut and counted.
  void give_back(const std::shared_ptr<Transport>& transport);

  Stats stats() const;

 private:
  Options options_for(const std::string& url, bool other_origin, std::optional<Duration> total) const;

  Options options_;
  Sharing sharing_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Transport>> kept_;  // by what differs between the requests of one run
  std::set<std::shared_ptr<Transport>> recreated_;          // distinct ones: as many as there are distinct options
  StatsSum ended_;
};

}  // namespace trunkline::cli
