// The main job on loopback: a fleet of `trunkline backend` processes that grows and shrinks with made-up traffic,
// scraped by several collectors over one transport, misled by gaps, and what came of it in numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <trunkline/result.hpp>

#include "services/demo/decision_judge.h"
#include "services/demo/scrape_ledger.h"
#include "services/run/configuration.h"
#include "services/traffic/traffic.h"

namespace trunkline::demo {

struct DemoSettings {
  std::string program;  // this binary, to be started as a backend
  traffic::ShapeKind shape = traffic::ShapeKind::waves;
  bool naive = false;        // the traffic: a new transport for every call
  run::AdminSettings admin;  // where the console is shown, and to whom; at an empty address nowhere
  int first_port = 21000;    // of the backends, which take one of 64
  int collectors = 4;
  Duration gap_every = std::chrono::seconds(12);  // one backend falls silent; zero: none does
  Duration gap_for = std::chrono::seconds(5);
};

struct ReplicaPoint {
  Duration at{0};  // since the start
  int asked = 0;
  int ready = 0;
};

struct Summary {
  traffic::ShapeKind shape = traffic::ShapeKind::waves;
  bool naive = false;
  Duration took{0};
  traffic::TrafficFigures traffic;
  int collectors = 0;
  ScrapeFigures scrapes;
  DecisionFigures decisions;
  int asked = 0;  // replicas now
  int ready = 0;
  std::vector<ReplicaPoint> replicas;  // a point for each change, at most 10,000
  std::uint64_t gaps = 0;              // made
  int silent_now = 0;                  // backends that gave no fresh value to the last decision
  double cpu_seconds = 0;              // of this process, without the backends
  std::uint64_t time_wait = 0;         // sockets to backends, at most, without those that were there before
  Stats transport = {};                // of the traffic; its pool is the whole process's. Naive: nothing is counted
  std::string last_reason = {};        // of the last step, in the autoscaler's words
  std::string trouble = {};            // of the fleet, or empty
};

class Demo {
 public:
  // Everything is under way when it returns. An error says what could not be had: the address, the program.
  static Result<std::unique_ptr<Demo>> start(const DemoSettings& settings);
  ~Demo();  // stops
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

  std::string address() const;  // of the console, or empty
  Summary summary() const;      // so far
  // Ends everything in order: traffic, scrapes, processes. Nothing is left behind, whether or not `limit` was enough.
  Summary stop(Duration limit);

 private:
  class Impl;
  explicit Demo(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::demo
