// Were the decisions right? The show knows what an autoscaler cannot: how many WebSockets there really were. A step
// that was taken while a pod was silent, and that the truth does not bear out, was made by the gap.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "services/autoscale/decision.h"

namespace trunkline::demo {

struct DecisionFigures {
  std::uint64_t decisions = 0;
  std::uint64_t ups = 0;
  std::uint64_t downs = 0;
  std::uint64_t reversals = 0;      // steps against the direction of the one before
  std::uint64_t with_gap = 0;       // decided while a pod that serves gave no fresh value
  std::uint64_t gaps_survived = 0;  // of these, with no step that the gap made
  std::uint64_t moved_by_gap = 0;   // steps in a gap that the truth does not bear out; wants to be 0
};

class DecisionJudge {
 public:
  // What was seen may be so old when it decides, so it must be true of one moment of this time.
  static constexpr Clock::duration memory = std::chrono::seconds(15);

  explicit DecisionJudge(double websockets_per_replica) : per_replica_(websockets_per_replica) {}

  // How many WebSockets there are. Often.
  void truth(std::int64_t open, TimePoint now);
  void judge(const autoscale::Decision& decision);
  const DecisionFigures& figures() const { return figures_; }

 private:
  bool is_borne_out(const autoscale::Decision& decision) const;

  const double per_replica_;
  std::deque<std::pair<TimePoint, std::int64_t>> truth_;
  autoscale::Action last_ = autoscale::Action::hold;
  DecisionFigures figures_;
};

}  // namespace trunkline::demo
