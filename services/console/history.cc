#include "services/console/history.h"

#include <cmath>
#include <initializer_list>
#include <utility>

#include "services/config/json_writer.h"

namespace trunkline::console {
namespace {

// One column; `get` makes a number of a point.
template <class Point, class Get>
void column(config::JsonWriter& json, const char* name, const std::vector<Point>& points, Get get) {
  json.key(name).open('[');
  for (const Point& point : points) json.measured(get(point));
  json.close(']');
}

// To the millisecond: whole doubles would be half of the answer.
double rounded(double value) { return std::isfinite(value) ? std::round(value * 1000) / 1000 : 0; }

template <class Point, class Value>
using Columns = std::initializer_list<std::pair<const char*, Value Point::*>>;

template <class Point, class Value>
void columns(config::JsonWriter& json, const std::vector<Point>& points, Columns<Point, Value> members) {
  for (const auto& [name, member] : members) {
    column(json, name, points, [of = member](const Point& point) { return rounded(point.*of); });
  }
}

}  // namespace

std::string to_json(const std::vector<ConnectionPoint>& points) {
  config::JsonWriter json;
  json.open('{');
  columns<ConnectionPoint, double>(json, points,
                                   {{"t", &ConnectionPoint::t},
                                    {"dials", &ConnectionPoint::dials},
                                    {"granted", &ConnectionPoint::granted},
                                    {"reused", &ConnectionPoint::reused}});
  columns<ConnectionPoint, float>(json, points,
                                  {{"open", &ConnectionPoint::open},
                                   {"in_use", &ConnectionPoint::in_use},
                                   {"idle", &ConnectionPoint::idle},
                                   {"waiting", &ConnectionPoint::waiting}});
  json.close('}');
  return json.take();
}

std::string to_json(const std::vector<FleetPoint>& points) {
  config::JsonWriter json;
  json.open('{');
  columns<FleetPoint, double>(json, points, {{"t", &FleetPoint::t}});
  columns<FleetPoint, float>(json, points,
                             {{"current", &FleetPoint::current},
                              {"desired", &FleetPoint::desired},
                              {"min", &FleetPoint::min},
                              {"max", &FleetPoint::max},
                              {"demand_low", &FleetPoint::demand_low},
                              {"demand_high", &FleetPoint::demand_high},
                              {"value", &FleetPoint::value},
                              {"target", &FleetPoint::target},
                              {"expected", &FleetPoint::expected},
                              {"carried", &FleetPoint::carried},
                              {"missing", &FleetPoint::missing}});
  json.close('}');
  return json.take();
}

}  // namespace trunkline::console
