// Who is connected to whom, and who should connect or leave next. Pure: whoever acts reports how it went.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"

namespace trunkline::traffic {

enum class Placement : unsigned char {
  least_loaded,  // the backend with the fewest WebSockets, as a good load balancer does
  round_robin,
};

struct Steps {
  struct Open {
    std::uint64_t id = 0;
    std::string backend;
  };
  std::vector<Open> opens = {};
  std::vector<std::uint64_t> closes = {};
};

class Population {
 public:
  // At most `most_steps` opens and closes at a time: a crowd comes quickly, but not in one moment.
  Population(Placement placement, std::size_t most_steps) : placement_(placement), most_steps_(most_steps) {}

  // What to do so that there are `wanted`. Those that are to be opened count from now on; those to be closed no more.
  Steps steps(std::size_t wanted, const std::vector<std::string>& backends, TimePoint now);

  // It could not connect, or was sent away: that backend, now perhaps the least loaded one, is left alone for a moment.
  void refused(std::uint64_t id, TimePoint now);
  // It was closed, as we wished. Unknown ones are ignored, here and there.
  void closed(std::uint64_t id);

  std::size_t size() const { return members_.size(); }
  bool has(std::uint64_t id) const { return members_.contains(id); }
  std::size_t on(const std::string& backend) const;

 private:
  std::string choose(const std::vector<std::string>& backends);
  std::uint64_t who_leaves() const;

  const Placement placement_;
  const std::size_t most_steps_;
  std::uint64_t next_id_ = 1;
  std::size_t turn_ = 0;
  std::map<std::uint64_t, std::string> members_;  // by age
  std::map<std::string, std::size_t> loads_;      // of those with members
  std::map<std::string, TimePoint> left_alone_;   // until when
};

}  // namespace trunkline::traffic
