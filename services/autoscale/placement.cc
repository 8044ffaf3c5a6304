#include "services/autoscale/placement.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "services/autoscale/numbers.h"

namespace trunkline::autoscale {
namespace {

struct Block {
  std::size_t target = 0;
  int number = 0;  // of the target's blocks
  int length = 0;
  double cost = 0;
};

std::vector<Block> blocks_of(const std::vector<TargetCost>& targets, int expansion_percent) {
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    int room = std::max(0, targets[i].max - std::max(0, targets[i].min));
    // At 100 percent blocks would not grow: then all of it is one.
    std::int64_t next = expansion_percent <= 100 ? most_replicas : 1;
    for (int number = 0; room > 0; ++number) {
      const int length = static_cast<int>(std::min<std::int64_t>(room, next));
      blocks.push_back({i, number, length, targets[i].cost * length});
      room -= length;
      next = std::min<std::int64_t>(std::max(next + 1, next * expansion_percent / 100), most_replicas);
    }
  }
  std::ranges::sort(blocks, {}, [](const Block& block) { return std::tuple(block.cost, block.target, block.number); });
  return blocks;
}

}  // namespace

std::vector<TargetReplicas> split_by_cost(const std::vector<TargetCost>& targets, int expansion_percent, int total) {
  std::vector<TargetReplicas> split;
  std::int64_t left = total;
  for (const TargetCost& target : targets) {
    split.push_back({target.name, std::max(0, target.min)});
    left -= std::max(0, target.min);
  }
  for (const Block& block : blocks_of(targets, expansion_percent)) {
    if (left <= 0) break;
    const int taken = static_cast<int>(std::min<std::int64_t>(left, block.length));
    split[block.target].replicas += taken;
    left -= taken;
  }
  return split;
}

std::pair<int, int> repair_ratio(int numerator, int denominator, const KthenaRole& numerator_role,
                                 const KthenaRole& denominator_role, const RatioConstraint* constraint) {
  const auto bounded = [](int value, const KthenaRole& role) { return std::max(role.min, std::min(value, role.max)); };
  numerator = bounded(numerator, numerator_role);
  denominator = bounded(denominator, denominator_role);
  if (!constraint || (numerator == 0 && denominator == 0)) return {numerator, denominator};
  numerator = std::max(1, numerator);
  denominator = std::max(1, denominator);

  const double ratio = static_cast<double>(numerator) / denominator;
  if (ratio < constraint->min) {
    numerator = ceil_replicas(constraint->min * denominator);
    if (numerator > numerator_role.max) {
      numerator = numerator_role.max;
      denominator = saturate(std::floor(numerator / constraint->min));
    }
  } else if (ratio > constraint->max) {
    denominator = ceil_replicas(numerator / constraint->max);
    if (denominator > denominator_role.max) {
      denominator = denominator_role.max;
      numerator = saturate(std::floor(constraint->max * denominator));
    }
  }
  return {bounded(numerator, numerator_role), bounded(denominator, denominator_role)};
}

}  // namespace trunkline::autoscale
