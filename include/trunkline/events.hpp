// Server-sent events: the events of an open response of the type text/event-stream (WHATWG HTML section 9.2).
//
//   Result<ResponseStream> response = client.open(get(url).header("Accept", "text/event-stream"));
//   Result<EventStream> events = EventStream::over(std::move(*response));
//   for (auto event = events->next(); event && *event; event = events->next()) use((*event)->data);
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <trunkline/callback.hpp>
#include <trunkline/response.hpp>
#include <trunkline/result.hpp>

namespace trunkline {

// Bytes as the server sent them; whether they are UTF-8 is yours to check.
struct Event {
  std::string type = "message";
  std::string data;  // its lines, with a line feed between them
  std::string id;    // the last that the stream has set, perhaps with an earlier event
};

// Bounds on what a server may send; beyond them the stream fails with `limit_exceeded`.
struct EventLimits {
  std::size_t line_bytes = 1024 * 1024;
  std::size_t event_bytes = 4 * 1024 * 1024;  // all data of one event
};

// Servers keep such a response open and silent for long: set Timeouts::idle_read to more than the silence between two
// of their comments. Nothing reconnects by itself; last_event_id() and retry() are what a caller needs to do it.
class EventStream {
 public:
  class Impl;

  // Of a response with status 200 and the right Content-Type; any other is an error, and `response` stays as it was.
  static Result<EventStream> over(ResponseStream&& response, const EventLimits& limits = {});

  explicit EventStream(std::unique_ptr<Impl> impl);
  EventStream(EventStream&&) noexcept;
  EventStream& operator=(EventStream&&) noexcept;
  ~EventStream();

  // The next event, or none at the end of the response; an event that the end cuts off is dropped, as browsers do.
  // Blocks; not for loop threads. After an error the same error comes again.
  Result<std::optional<Event>> next();
  // The same when it is there: `done` is called once, on a loop thread. Until then the stream must stay, and nothing
  // else may be asked of it.
  void start_next(Callback<void(Result<std::optional<Event>>)> done);

  // For the Last-Event-ID of the request that reconnects.
  const std::string& last_event_id() const;
  // How long the server wants to be left alone before that: at most a day. None: it has not said.
  std::optional<std::chrono::milliseconds> retry() const;
  const ResponseStream& response() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline
