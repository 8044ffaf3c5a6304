#include "exchange.h"

#include <algorithm>
#include <utility>

#include "json_output.h"
#include "verbose.h"

namespace trunkline::cli {
namespace {

Error failure(ErrorCode code, Phase phase, std::string message, MaybeProcessed processed) {
  Error error(code, phase, std::move(message));
  error.maybe_processed = processed;
  return error;
}

}  // namespace

Exchange::Exchange(const PlannedRequest& plan, std::uint64_t number, Delivery delivery, const ExchangeRules& rules,
                   Transports& transports, Output& standard_output, Inbox* inbox)
    : plan_(plan),
      delivery_(delivery),
      rules_(rules),
      transports_(transports),
      standard_output_(standard_output),
      inbox_(inbox),
      request_(make_request(plan)) {
  report_.number = number;
  report_.id = plan.id;
  report_.url = without_userinfo(plan.url);
  report_.include_body = plan.include_body;
  if (delivery == Delivery::file) report_.output = plan.output;
}

void Exchange::begin(Callback<void(Report)> done) {
  done_ = std::move(done);
  // A limit over the whole call spans its redirects and retries: the layers give each what the ones before have left.
  const Duration total = plan_.total      ? *plan_.total
                         : plan_.timeouts ? plan_.timeouts->total
                                          : transports_.options().timeouts.total;
  if (total > Duration::zero()) request_.total_timeout(total);
  record();
  notes_ = std::make_shared<HopNotes>();
  notes_->method = request_.method();
  notes_->url = request_.url();
  notes_->began = Clock::now();
  const HopRules hop{rules_.verbose, prefix(), rules_.secrecy, plan_.total};
  way_ = std::make_shared<Hops>(hop, transports_, recorder_, notes_);
  if (rules_.redirects) way_ = with_redirects(std::move(way_), *rules_.redirects);
  // Around the redirects, as curl does: a retry begins again at the URL that was asked for.
  if (rules_.retries) way_ = with_retries(std::move(way_), *rules_.retries);
  send();
}

void Exchange::record() {
  Callback<void(const TraceEvent&)> listener;
  if (rules_.trace && !rules_.record) {
    listener = [prefix = prefix()](const TraceEvent& event) { say(prefix, describe(event)); };
  }
  recorder_ = std::make_shared<Recorder>(std::move(listener));
  request_.trace(recorder_);
}

void Exchange::send() {
  Request request = request_;
  if (delivery_ == Delivery::whole) {
    if (!inbox_) return on_whole(way_->send(std::move(request)));
    way_->start(std::move(request), [this, inbox = inbox_](Result<Response> response) {
      inbox->post([this, response = std::move(response)]() mutable { on_whole(std::move(response)); });
    });
  } else {
    if (!inbox_) return on_open(way_->open(std::move(request)));
    way_->start_open(std::move(request), [this, inbox = inbox_](Result<ResponseStream> stream) {
      inbox->post([this, stream = std::move(stream)]() mutable { on_open(std::move(stream)); });
    });
  }
}

void Exchange::on_whole(Result<Response> response) {
  if (!response) return fail(std::move(response).error());
  report_.head = static_cast<const ResponseHead&>(*response);
  report_.times = times_report(response->times);
  report_.body_bytes = response->body.size();
  report_.body = std::move(response->body);
  report_.trailers = std::move(response->trailers);
  finish();
}

void Exchange::on_open(Result<ResponseStream> stream) {
  if (!stream) return fail(std::move(stream).error());
  report_.head = stream->head();
  stream_.emplace(*std::move(stream));
  report_.streamed = true;
  if (rules_.fail && report_.head->status >= 400) return finish();
  if (delivery_ == Delivery::file) file_.emplace(Output::to_file(plan_.output));
  if (rules_.include_head) (file_ ? *file_ : standard_output_).write(head_text(*report_.head));
  if (delivery_ != Delivery::events) return read_body();
  Result<EventStream> events = EventStream::over(*std::move(stream_));
  if (!events) return fail(std::move(events).error());
  events_.emplace(*std::move(events));
  read_event();
}

void Exchange::read_event() {
  if (inbox_) {
    return events_->start_next([this, inbox = inbox_](Result<std::optional<Event>> event) {
      inbox->post([this, event = std::move(event)]() mutable { on_event(std::move(event)); });
    });
  }
  on_event(events_->next());
}

void Exchange::on_event(Result<std::optional<Event>> event) {
  // A loop, as on_piece.
  while (true) {
    if (!event) return fail(std::move(event).error());
    if (!*event) {
      report_.trailers = events_->response().trailers();
      return finish();
    }
    report_.body_bytes += (*event)->data.size();
    const std::string text = rules_.record ? json_line(report_.number, **event) : (*event)->data + "\n";
    if (!standard_output_.write(text)) return finish();
    if (inbox_) return read_event();
    event = events_->next();
  }
}

void Exchange::read_body() {
  if (inbox_) {
    stream_->start_read(buffer_, [this, inbox = inbox_](Result<std::size_t> size) {
      inbox->post([this, size = std::move(size)]() mutable { on_piece(std::move(size)); });
    });
    return;
  }
  on_piece(stream_->read(buffer_));
}

void Exchange::on_piece(Result<std::size_t> size) {
  const std::optional<std::size_t> limit = plan_.body_limit ? plan_.body_limit : rules_.max_body;
  // A loop, not a recursion: a blocking download has as many pieces as it likes.
  while (true) {
    if (!size) return fail(std::move(size).error());
    if (*size == 0) {
      report_.trailers = stream_->trailers();
      return finish();
    }
    report_.body_bytes += *size;
    if (limit && report_.body_bytes > *limit) {
      return fail(failure(ErrorCode::limit_exceeded, Phase::body,
                          "the body is longer than the limit of " + std::to_string(*limit) + " bytes",
                          MaybeProcessed::yes));
    }
    Output& out = file_ ? *file_ : standard_output_;
    if (!out.write({buffer_.data(), *size})) return finish();
    if (inbox_) return read_body();
    size = stream_->read(buffer_);
  }
}

void Exchange::fail(Error error) {
  report_.error = std::move(error);
  finish();
}

void Exchange::finish() {
  const Duration elapsed = Clock::now() - notes_->began;
  events_.reset();
  stream_.reset();
  way_.reset();
  for (const std::shared_ptr<Transport>& transport : std::exchange(notes_->transports, {})) {
    transports_.give_back(transport);
  }
  if (file_ && !file_->finish()) report_.output_error = plan_.output + ": " + file_->failure();
  std::vector<TraceEvent> events = recorder_->events();
  if (!report_.head) report_.head = notes_->head;  // of the redirect that was not followed
  if (report_.head) {
    report_.connection = connection_report(report_.head->connection);
    if (delivery_ != Delivery::whole) report_.times = times_report(report_.head->times);
  } else {
    const auto first = static_cast<std::ptrdiff_t>(std::min(notes_->first_event, events.size()));
    const std::vector<TraceEvent> last_hop(events.begin() + first, events.end());
    report_.connection = connection_report(last_hop);
    report_.times = times_report(last_hop, elapsed);
  }
  // The head of a streamed response knows no end.
  if (delivery_ != Delivery::whole || report_.times.total == Duration::zero()) report_.times.total = elapsed;
  if (rules_.trace && rules_.record) report_.trace = std::move(events);
  report_.retries = recorder_->retries();
  report_.redirects = recorder_->redirects();
  report_.method = notes_->method;
  report_.final_url = notes_->url;
  Callback<void(Report)> done = std::move(done_);
  done(std::move(report_));
}

std::string Exchange::prefix() const { return inbox_ ? "[" + std::to_string(report_.number) + "] " : ""; }

}  // namespace trunkline::cli
