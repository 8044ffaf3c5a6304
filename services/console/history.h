// The last half hour in a fixed amount of memory: a point per second for the last five minutes, one per ten seconds for
// what is older. Whoever opens the page sees full charts. No clock: every point brings its time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace trunkline::console {

struct HistorySettings {
  double recent_step = 1;  // seconds between points
  std::size_t recent_points = 300;
  double older_step = 10;
  double keep = 1800;  // seconds
};

// A Point has `t`, in seconds, and absorb(later): takes the later point's place without losing what must not be lost
// when points are thinned, such as a gap.
template <class Point>
class History {
 public:
  explicit History(HistorySettings settings = {}) : settings_(settings) {}

  void add(const Point& point) {
    if (!recent_.empty() && point.t <= recent_.back().t) return;  // the wall clock was set back: until it has caught up
    put(recent_, point, settings_.recent_step);
    while (recent_.size() > settings_.recent_points) {
      put(older_, recent_.front(), settings_.older_step);
      recent_.pop_front();
    }
    while (!older_.empty() && older_.front().t < point.t - settings_.keep) older_.pop_front();
    while (recent_.size() > 1 && recent_.front().t < point.t - settings_.keep) recent_.pop_front();
  }

  // Oldest first.
  std::vector<Point> points() const {
    std::vector<Point> all(older_.begin(), older_.end());
    all.insert(all.end(), recent_.begin(), recent_.end());
    return all;
  }
  double last() const { return recent_.empty() ? 0 : recent_.back().t; }

 private:
  // Points within one step of the clock become one.
  static void put(std::deque<Point>& points, const Point& point, double step) {
    if (!points.empty() && std::floor(points.back().t / step) == std::floor(point.t / step)) {
      points.back().absorb(point);
    } else {
      points.push_back(point);
    }
  }

  HistorySettings settings_;
  std::deque<Point> older_;
  std::deque<Point> recent_;
};

// Of a route, or of all together. Dials, granted and reused count from the process's start, so that rates over any two
// points are right however coarse they are.
struct ConnectionPoint {
  double t = 0;
  float open = 0;
  float in_use = 0;
  float idle = 0;
  float waiting = 0;
  double dials = 0;
  double granted = 0;
  double reused = 0;

  void absorb(const ConnectionPoint& later) {
    const float longest_queue = std::max(waiting, later.waiting);
    *this = later;
    waiting = longest_queue;
  }
};

// Of a fleet, one for each decision. Demand and capacity are in replicas, value and target in the metric's unit.
struct FleetPoint {
  double t = 0;
  float current = 0;
  float desired = 0;
  float min = 0;
  float max = 0;
  float demand_low = 0;
  float demand_high = 0;
  float value = 0;
  float target = 0;
  float expected = 0;
  float carried = 0;
  float missing = 0;

  void absorb(const FleetPoint& later) {
    const float most_carried = std::max(carried, later.carried);
    const float most_missing = std::max(missing, later.missing);
    *this = later;
    carried = most_carried;
    missing = most_missing;
  }
};

// {"t":[...],"open":[...],...}: columns of equal length.
std::string to_json(const std::vector<ConnectionPoint>& points);
std::string to_json(const std::vector<FleetPoint>& points);

}  // namespace trunkline::console
