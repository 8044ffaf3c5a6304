// An event stream (WHATWG HTML section 9.2.6) as it comes: bytes in, events out, however they are cut. No I/O, no
// clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/events.hpp>

namespace trunkline::sse {

class EventParser {
 public:
  explicit EventParser(const EventLimits& limits = {}) : limits_(limits) {}

  // The next event in `in`, which moves on past it. None: all of `in` has been taken, and what is not a whole event is
  // kept until more comes. An error is final.
  Result<std::optional<Event>> next(std::string_view& in);

  const std::string& last_event_id() const { return last_event_id_; }
  std::optional<std::chrono::milliseconds> retry() const { return retry_; }

 private:
  bool take_line(std::string_view& in);
  bool take_field(std::string_view line);
  bool append_data(std::string_view value);
  void take_retry(std::string_view value);
  std::optional<Event> dispatch();

  EventLimits limits_;
  std::string line_;       // as much of the present line as has come
  bool at_start_ = true;   // a byte order mark may stand before the first line
  bool after_cr_ = false;  // a line feed here belongs to the line end before
  bool failed_ = false;
  std::string type_;
  std::string data_;  // each line with a line feed behind it
  std::string id_;    // the next event's, and of all that set none
  std::string last_event_id_;
  std::optional<std::chrono::milliseconds> retry_;
};

}  // namespace trunkline::sse
