// The thread behind Traffic, and what callbacks on loops' threads leave for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <trunkline/client.hpp>

#include "services/traffic/latencies.h"
#include "services/traffic/traffic.h"

namespace trunkline::traffic {

// Callbacks hold it weakly or strongly as they need; it outlives Traffic until the last of them has come.
class Traffic::Driver : public std::enable_shared_from_this<Driver> {
 public:
  Driver(TrafficSettings settings, Backends backends);

  void start();
  void stop(Duration limit);
  TrafficFigures figures() const;
  Stats transport_stats() const;
  ConnectionList connections(const ConnectionQuery& query) const;

 private:
  struct Session;
  struct Event {
    enum Kind : unsigned char { opened, failed, closed } kind = closed;
    std::uint64_t id = 0;
    std::shared_ptr<Session> session = nullptr;  // with `opened`
  };
  struct Call;

  void run();
  void take_events(TimePoint now);
  void move_population(TimePoint now);
  void send_messages(TimePoint now);
  void send_requests(TimePoint now);
  void leave_all(TimePoint until);
  const std::string& next_backend(const std::string& but_not);

  void connect(const Steps::Open& open);
  void did_not_connect(std::uint64_t id, const Error& error, std::shared_ptr<Transport> transport);
  void close(std::uint64_t id);
  void listen(const std::shared_ptr<Session>& session);
  void ask(const std::shared_ptr<Call>& call, const std::string& backend);
  void answered(const std::shared_ptr<Call>& call, const Result<Response>& response);
  std::shared_ptr<Transport> next_transport();
  void put(Event event);
  void note(const Error& error);

  const TrafficSettings settings_;
  const Backends backends_;
  const std::shared_ptr<Transport> transport_;  // null when naive

  // The thread's own.
  TimePoint started_{};
  Population population_;
  std::vector<std::string> present_;                            // backends
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;  // open, or closing
  std::uint64_t connecting_ = 0;
  double requests_owed_ = 0;
  TimePoint requests_at_{};
  std::size_t turn_ = 0;
  std::thread thread_;

  Latencies echoes_;
  Latencies requests_;
  std::atomic<std::size_t> requests_open_{0};

  mutable std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  std::vector<Event> events_;
  std::vector<std::shared_ptr<Call>> again_;        // calls whose backend had gone
  std::vector<std::shared_ptr<Transport>> buried_;  // naive ones that are done with: they end on our thread
  bool stopping_ = false;
  TimePoint leave_by_{};
  TrafficFigures figures_;
};

}  // namespace trunkline::traffic
