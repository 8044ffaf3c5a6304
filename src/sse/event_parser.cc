#include "sse/event_parser.h"

#include <algorithm>
#include <utility>

namespace trunkline::sse {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::chrono::milliseconds longest_retry = std::chrono::hours(24);

}  // namespace

Result<std::optional<Event>> EventParser::next(std::string_view& in) {
  while (!failed_ && take_line(in)) {
    std::string_view line = line_;
    if (std::exchange(at_start_, false) && line.starts_with(byte_order_mark)) {
      line.remove_prefix(byte_order_mark.size());
    }
    std::optional<Event> event;
    if (line.empty()) {
      event = dispatch();
    } else {
      failed_ = !take_field(line);
    }
    line_.clear();
    if (event) return event;
  }
  if (!failed_) return std::optional<Event>();
  return Error(ErrorCode::limit_exceeded, Phase::body,
               "the event stream has a line of more than " + std::to_string(limits_.line_bytes) +
                   " bytes or an event of more than " + std::to_string(limits_.event_bytes) +
                   ": raise EventLimits if the server is to be trusted with that");
}

// Moves on to the end of a line, which is then in line_ as a whole. Lines end with CR, LF or both.
bool EventParser::take_line(std::string_view& in) {
  if (in.empty()) return false;
  if (std::exchange(after_cr_, false) && in.front() == '\n') in.remove_prefix(1);
  const auto end = std::find_if(in.begin(), in.end(), [](char c) { return c == '\n' || c == '\r'; });
  const std::string_view piece(in.data(), static_cast<std::size_t>(end - in.begin()));
  if (piece.size() > limits_.line_bytes - line_.size()) {
    failed_ = true;
    return false;
  }
  line_ += piece;
  in.remove_prefix(piece.size());
  if (in.empty()) return false;
  after_cr_ = in.front() == '\r';
  in.remove_prefix(1);
  return true;
}

// False: a bound is reached.
bool EventParser::take_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == 0) return true;  // a comment
  const std::string_view name = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") return append_data(value);
  if (name == "event") type_ = value;
  if (name == "id" && value.find('\0') == std::string_view::npos) id_ = value;
  if (name == "retry") take_retry(value);
  return true;
}

bool EventParser::append_data(std::string_view value) {
  if (data_.size() > limits_.event_bytes || value.size() > limits_.event_bytes - data_.size()) return false;
  data_ += value;
  data_ += '\n';
  return true;
}

void EventParser::take_retry(std::string_view value) {
  std::chrono::milliseconds wait{0};
  for (const char c : value) {
    if (c < '0' || c > '9') return;
    wait = std::min(wait * 10 + std::chrono::milliseconds(c - '0'), longest_retry);
  }
  if (!value.empty()) retry_ = wait;
}

std::optional<Event> EventParser::dispatch() {
  last_event_id_ = id_;
  std::string type = std::exchange(type_, {});
  std::string data = std::exchange(data_, {});
  if (data.empty()) return std::nullopt;
  data.pop_back();
  Event event;
  if (!type.empty()) event.type = std::move(type);
  event.data = std::move(data);
  event.id = last_event_id_;
  return event;
}

}  // namespace trunkline::sse
