#include <trunkline/events.hpp>

#include <array>
#include <string_view>

#include "sse/event_parser.h"

namespace trunkline {

// Bytes are read into `piece_` and parsed from `left_`, a part of it.
class EventStream::Impl {
 public:
  Impl(ResponseStream&& response, const EventLimits& limits) : response_(std::move(response)), parser_(limits) {}

  Result<std::optional<Event>> next() {
    for (;;) {
      Result<std::optional<Event>> event = parsed();
      if (!event || *event || at_end_) return event;
      took(response_.read(piece_));
    }
  }

  void start_next(Callback<void(Result<std::optional<Event>>)>&& done) {
    done_ = std::move(done);
    event_ = parsed();
    // A read of nothing only calls back: an event that is there already comes from a loop's thread, like any other.
    const bool is_there = !event_ || *event_ || at_end_;
    read_on(is_there ? std::span<char>() : std::span<char>(piece_));
  }

  const sse::EventParser& parser() const { return parser_; }
  const ResponseStream& response() const { return response_; }

 private:
  // Of what has been read.
  Result<std::optional<Event>> parsed() {
    if (error_) return *error_;
    return parser_.next(left_);
  }

  void took(const Result<std::size_t>& size) {
    if (!size) {
      error_ = size.error();
      return;
    }
    left_ = std::string_view(piece_.data(), *size);
    at_end_ = *size == 0;
  }

  void read_on(std::span<char> into) {
    response_.start_read(into, [this, wanted = !into.empty()](const Result<std::size_t>& size) {
      if (wanted) {
        took(size);
        event_ = parsed();
        if (event_ && !*event_ && !at_end_) {
          read_on(piece_);
          return;
        }
      }
      // Into locals: being told, the caller may drop this stream.
      auto done = std::move(done_);
      Result<std::optional<Event>> event = std::move(event_);
      done(std::move(event));
    });
  }

  ResponseStream response_;
  sse::EventParser parser_;
  std::array<char, 16 * 1024> piece_{};
  std::string_view left_;
  bool at_end_ = false;
  std::optional<Error> error_;
  Callback<void(Result<std::optional<Event>>)> done_;
  Result<std::optional<Event>> event_{std::in_place};  // of start_next
};

namespace {

bool is_event_stream(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return equals_ignore_case(type, "text/event-stream");
}

}  // namespace

Result<EventStream> EventStream::over(ResponseStream&& response, const EventLimits& limits) {
  if (response.status() != 200) {
    return Error(ErrorCode::invalid_response, Phase::body,
                 "the response is no event stream: its status is " + std::to_string(response.status()) +
                     (response.status() == 204 ? ", which asks clients not to reconnect" : " instead of 200"));
  }
  if (!is_event_stream(response.headers().get("Content-Type").value_or(std::string_view()))) {
    return Error(ErrorCode::invalid_response, Phase::body,
                 "the response is no event stream: its Content-Type is not text/event-stream");
  }
  return EventStream(std::make_unique<Impl>(std::move(response), limits));
}

EventStream::EventStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventStream::EventStream(EventStream&&) noexcept = default;
EventStream& EventStream::operator=(EventStream&&) noexcept = default;
EventStream::~EventStream() = default;

Result<std::optional<Event>> EventStream::next() { return impl_->next(); }
void EventStream::start_next(Callback<void(Result<std::optional<Event>>)> done) { impl_->start_next(std::move(done)); }
const std::string& EventStream::last_event_id() const { return impl_->parser().last_event_id(); }
std::optional<std::chrono::milliseconds> EventStream::retry() const { return impl_->parser().retry(); }
const ResponseStream& EventStream::response() const { return impl_->response(); }

}  // namespace trunkline
