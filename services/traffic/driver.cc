#include "services/traffic/driver.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace trunkline::traffic {
namespace {

constexpr Duration turn_length = std::chrono::milliseconds(20);

std::string time_as_text(TimePoint now) { return std::to_string(now.time_since_epoch().count()); }

std::optional<TimePoint> time_from_text(const std::string& text) {
  std::int64_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return TimePoint(Clock::duration(count));
}

}  // namespace

struct Traffic::Driver::Session {
  Session(std::uint64_t its_id, std::shared_ptr<Transport> its_transport, WebSocket its_socket)
      : id(its_id), transport(std::move(its_transport)), socket(std::move(its_socket)) {}

  const std::uint64_t id;
  const std::shared_ptr<Transport> transport;
  WebSocket socket;
  TimePoint speaks_at{};
  std::atomic<bool> leaving{false};  // because we wished it; asked on a loop's thread too
};

struct Traffic::Driver::Call {
  std::shared_ptr<Transport> transport;
  std::string backend;
  TimePoint asked{};
  bool again = false;
};

Traffic::Driver::Driver(TrafficSettings settings, Backends backends)
    : settings_(std::move(settings)),
      backends_(std::move(backends)),
      transport_(settings_.naive ? nullptr : Transport::shared(settings_.options)),
      population_(settings_.placement, settings_.steps_at_once) {}

void Traffic::Driver::start() {
  started_ = requests_at_ = Clock::now();
  thread_ = std::thread([this] { run(); });
}

void Traffic::Driver::stop(Duration limit) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    leave_by_ = Clock::now() + limit;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

TrafficFigures Traffic::Driver::figures() const {
  TrafficFigures figures;
  {
    const std::lock_guard lock(mutex_);
    figures = figures_;
  }
  figures.echo_p50 = echoes_.quantile(0.5);
  figures.echo_p99 = echoes_.quantile(0.99);
  figures.request_p50 = requests_.quantile(0.5);
  figures.request_p99 = requests_.quantile(0.99);
  return figures;
}

ConnectionList Traffic::Driver::connections(const ConnectionQuery& query) const {
  return transport_ ? transport_->connections(query) : ConnectionList();
}

Stats Traffic::Driver::transport_stats() const { return transport_ ? transport_->stats() : Stats(); }

void Traffic::Driver::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, turn_length, [this] { return stopping_; });
      if (stopping_) break;
    }
    const TimePoint now = Clock::now();
    present_ = backends_();
    take_events(now);
    move_population(now);
    send_messages(now);
    send_requests(now);
  }
  TimePoint until{};
  {
    const std::lock_guard lock(mutex_);
    until = leave_by_;
  }
  leave_all(until);
}

void Traffic::Driver::take_events(TimePoint now) {
  std::vector<Event> events;
  std::vector<std::shared_ptr<Transport>> buried;
  {
    const std::lock_guard lock(mutex_);
    events.swap(events_);
    buried.swap(buried_);
  }
  for (Event& event : events) {
    if (event.kind != Event::closed) --connecting_;
    if (event.kind == Event::opened) {
      // Spread, so that those who came together do not all speak at once.
      event.session->speaks_at = now + settings_.message_every * static_cast<std::int64_t>(event.id % 16) / 16;
      sessions_.emplace(event.id, event.session);
      listen(event.session);
      if (!population_.has(event.id)) close(event.id);  // it was to leave before it had come
    } else if (event.kind == Event::failed) {
      population_.refused(event.id, now);
    } else {
      const auto session = sessions_.find(event.id);
      if (session == sessions_.end()) continue;
      if (!session->second->leaving) population_.refused(event.id, now);
      sessions_.erase(session);
    }
  }
}

void Traffic::Driver::move_population(TimePoint now) {
  const double wanted = wanted_at(settings_.shape, now - started_);
  const Steps steps = population_.steps(static_cast<std::size_t>(std::lround(std::max(wanted, 0.0))), present_, now);
  for (const Steps::Open& open : steps.opens) connect(open);
  for (const std::uint64_t id : steps.closes) close(id);
  const std::lock_guard lock(mutex_);
  figures_.wanted = wanted;
}

void Traffic::Driver::send_messages(TimePoint now) {
  for (const auto& [id, session] : sessions_) {
    if (session->leaving || session->speaks_at > now) continue;
    session->speaks_at = now + settings_.message_every;
    session->socket.start_send_text(time_as_text(now), [](const Result<void>&) {});
  }
}

void Traffic::Driver::send_requests(TimePoint now) {
  requests_owed_ += settings_.requests_per_second * std::chrono::duration<double>(now - requests_at_).count();
  requests_at_ = now;
  std::vector<std::shared_ptr<Call>> again;
  {
    const std::lock_guard lock(mutex_);
    again.swap(again_);
  }
  if (present_.empty()) {
    const std::lock_guard lock(mutex_);
    figures_.requests_skipped += static_cast<std::uint64_t>(requests_owed_);
    figures_.requests_failed += again.size();
    requests_open_ -= again.size();
    requests_owed_ -= std::floor(requests_owed_);
    return;
  }
  for (const auto& call : again) ask(call, next_backend(call->backend));
  for (; requests_owed_ >= 1; requests_owed_ -= 1) {
    if (requests_open_ >= settings_.requests_at_once) {
      const std::lock_guard lock(mutex_);
      ++figures_.requests_skipped;
      continue;
    }
    ++requests_open_;
    auto call = std::make_shared<Call>();
    call->asked = Clock::now();
    ask(call, next_backend({}));
  }
}

// Each in its turn; the one to be left out only where there is no other.
const std::string& Traffic::Driver::next_backend(const std::string& but_not) {
  const std::string& next = present_[turn_++ % present_.size()];
  return next == but_not ? present_[turn_++ % present_.size()] : next;
}

// Waits for everything that callbacks will still tell of.
void Traffic::Driver::leave_all(TimePoint until) {
  for (const auto& [id, session] : sessions_) close(id);
  while (Clock::now() < until) {
    take_events(Clock::now());
    for (const auto& [id, session] : sessions_) close(id);  // also those who have just come
    std::unique_lock lock(mutex_);
    requests_open_ -= again_.size();
    figures_.requests_failed += again_.size();
    again_.clear();
    if (sessions_.empty() && connecting_ == 0 && requests_open_ == 0 && events_.empty()) break;
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
  sessions_.clear();
  take_events(Clock::now());
}

std::shared_ptr<Transport> Traffic::Driver::next_transport() {
  return transport_ ? transport_ : Transport::create(settings_.options);
}

void Traffic::Driver::put(Event event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
}

void Traffic::Driver::note(const Error& error) { figures_.last_error = error.describe(); }

// --- WebSockets

// On a connection of its own, which it needs anyway: the idle ones stay for the requests.
void Traffic::Driver::connect(const Steps::Open& open) {
  ++connecting_;
  const std::shared_ptr<Transport> transport = next_transport();
  Client(transport).start_websocket(get("ws://" + open.backend + "/ws").fresh_connection(), WebSocketOptions(),
                                    [self = shared_from_this(), id = open.id, transport](Result<WebSocket> socket) {
                                      if (!socket) return self->did_not_connect(id, socket.error(), transport);
                                      {
                                        const std::lock_guard lock(self->mutex_);
                                        ++self->figures_.connects;
                                        ++self->figures_.open;
                                      }
                                      auto session = std::make_shared<Session>(id, transport, *std::move(socket));
                                      self->put({Event::opened, id, std::move(session)});
                                    });
}

void Traffic::Driver::did_not_connect(std::uint64_t id, const Error& error, std::shared_ptr<Transport> transport) {
  {
    const std::lock_guard lock(mutex_);
    ++figures_.connects_failed;
    note(error);
    if (settings_.naive) buried_.push_back(std::move(transport));
  }
  put({Event::failed, id});
}

void Traffic::Driver::listen(const std::shared_ptr<Session>& session) {
  session->socket.start_receive([self = shared_from_this(), weak = std::weak_ptr(session),
                                 id = session->id](const Result<WebSocketMessage>& message) {
    if (message && message->kind != WebSocketMessage::closed) {
      if (const auto sent = time_from_text(message->data)) self->echoes_.add(Clock::now() - *sent);
      {
        const std::lock_guard lock(self->mutex_);
        ++self->figures_.messages;
      }
      if (const auto kept = weak.lock()) self->listen(kept);
      return;
    }
    const auto kept = weak.lock();
    {
      const std::lock_guard lock(self->mutex_);
      --self->figures_.open;
      if (kept && !kept->leaving) ++self->figures_.sent_away;
    }
    self->put({Event::closed, id});
  });
}

void Traffic::Driver::close(std::uint64_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second->leaving.exchange(true)) return;
  found->second->socket.start_close(1000, "", [](const Result<void>&) {});
}

// --- requests

void Traffic::Driver::ask(const std::shared_ptr<Call>& call, const std::string& backend) {
  call->transport = next_transport();
  call->backend = backend;
  Client(call->transport)
      .start(get("http://" + backend + "/").total_timeout(std::chrono::seconds(10)),
             [self = shared_from_this(), call](const Result<Response>& response) { self->answered(call, response); });
}

void Traffic::Driver::answered(const std::shared_ptr<Call>& call, const Result<Response>& response) {
  const std::lock_guard lock(mutex_);
  if (settings_.naive) buried_.push_back(std::exchange(call->transport, nullptr));
  // It never came to the server, which may just have been told to go: as a load balancer does, once.
  if (!response && !call->again && !stopping_ && response.error().maybe_processed == MaybeProcessed::no) {
    call->again = true;
    ++figures_.requests_elsewhere;
    again_.push_back(call);
    return;
  }
  if (response && response->status == 200) {
    requests_.add(Clock::now() - call->asked);
    ++figures_.requests;
    if (response->connection.reused) {
      ++figures_.reused;
    } else {
      ++figures_.dials[static_cast<std::size_t>(response->connection.dial_reason)];
    }
  } else {
    ++figures_.requests_failed;
    if (!response) note(response.error());
  }
  --requests_open_;
}

}  // namespace trunkline::traffic
