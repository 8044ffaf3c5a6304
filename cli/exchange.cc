#include "exchange.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text.h"
#include "verbose.h"

namespace trunkline::cli {
namespace {

// Called under the recorder's lock, from any thread; one fputs, so lines of several requests do not mix.
void print(const std::string& prefix, const std::string& lines) {
  std::string out;
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    out += prefix;
    out += line;
    out += '\n';
  }
  std::fputs(out.c_str(), stderr);
}

Error failure(ErrorCode code, Phase phase, std::string message, MaybeProcessed processed) {
  Error error(code, phase, std::move(message));
  error.maybe_processed = processed;
  return error;
}

// curl sends the userinfo of a URL that its user typed, and so do we; that of a redirect is nobody's word.
void use_typed_userinfo(Request& request, const Url& url) {
  if (!url.has_userinfo() || request.headers().contains("Authorization")) return;
  const std::string pair = std::string(url.user()) + ":" + std::string(url.password());
  request.header("Authorization", "Basic " + base64(pair));
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
  began_ = Clock::now();
  if (const Result<Url> url = Url::parse(request_.url())) {
    first_origin_ = *url;
    use_typed_userinfo(request_, *url);
  }
  send_hop();
}

void Exchange::record_hop() {
  if (!rules_.trace && !rules_.record) return;
  Callback<void(const TraceEvent&)> listener;
  if (rules_.trace && !rules_.record) {
    const std::string prefix = inbox_ ? "[" + std::to_string(report_.number) + "] " : "";
    listener = [prefix](const TraceEvent& event) { print(prefix, describe(event)); };
  }
  recorder_ = std::make_shared<Recorder>(std::move(listener));
  request_.trace(recorder_);
}

void Exchange::send_hop() {
  hop_began_ = Clock::now();
  record_hop();
  Request request = request_;
  if (over_total(request)) {
    return fail(failure(ErrorCode::timeout_total, Phase::prepare, "the time limit was used up by redirects",
                        MaybeProcessed::yes));
  }
  transport_ = transports_.take(request.url(), left_origin_, plan_.total);
  if (rules_.verbose) say(describe_request(request, transports_.options(), rules_.secrecy));
  if (delivery_ == Delivery::whole) {
    if (!inbox_) return on_whole(transport_->send(std::move(request)));
    transport_->start(std::move(request), [this, inbox = inbox_](Result<Response> response) {
      inbox->post([this, response = std::move(response)]() mutable { on_whole(std::move(response)); });
    });
  } else {
    if (!inbox_) return on_open(transport_->open(std::move(request)));
    transport_->start_open(std::move(request), [this, inbox = inbox_](Result<ResponseStream> stream) {
      inbox->post([this, stream = std::move(stream)]() mutable { on_open(std::move(stream)); });
    });
  }
}

// A limit over the whole call spans its redirects: each hop gets what the ones before have left.
bool Exchange::over_total(Request& request) {
  const Duration total = plan_.total      ? *plan_.total
                         : plan_.timeouts ? plan_.timeouts->total
                                          : transports_.options().timeouts.total;
  if (report_.redirects == 0 || total == Duration::zero()) return false;
  const Duration left = total - (hop_began_ - began_);
  request.total_timeout(left);
  return left <= Duration::zero();
}

void Exchange::on_whole(Result<Response> response) {
  if (!response) return fail(std::move(response).error());
  report_.head = static_cast<const ResponseHead&>(*response);
  report_.times = times_report(response->times);
  if (follow(*response)) return;
  report_.body_bytes = response->body.size();
  report_.body = std::move(response->body);
  report_.trailers = std::move(response->trailers);
  finish();
}

void Exchange::on_open(Result<ResponseStream> stream) {
  if (!stream) return fail(std::move(stream).error());
  report_.head = stream->head();
  stream_.emplace(*std::move(stream));
  const ResponseHead head = *report_.head;
  if (follow(head)) return;
  report_.streamed = true;
  if (rules_.fail && report_.head->status >= 400) return finish();
  if (delivery_ == Delivery::file) file_.emplace(Output::to_file(plan_.output));
  if (rules_.include_head) (file_ ? *file_ : standard_output_).write(head_text(*report_.head));
  read_body();
}

void Exchange::read_body() {
  if (inbox_) {
    return stream_->start_read(buffer_, [this, inbox = inbox_](Result<std::size_t> size) {
      inbox->post([this, size = std::move(size)]() mutable { on_piece(std::move(size)); });
    });
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

bool Exchange::follow(const ResponseHead& head) {
  if (rules_.verbose) say(describe_connection(head.connection) + describe_response(head, rules_.secrecy));
  report_.retries += head.retries;
  if (!rules_.follow) return false;
  const Result<Url> from = Url::parse(request_.url());
  if (!from) return false;
  Result<std::optional<Request>> next = redirected(request_, *from, head, rules_.redirects);
  if (!next) return fail(std::move(next).error()), true;
  if (!*next) return false;
  if (report_.redirects >= rules_.max_redirects) {
    fail(failure(ErrorCode::limit_exceeded, Phase::done,
                 "more than " + std::to_string(rules_.max_redirects) + " redirects; the last one leads to " +
                     shown_url((*next)->url()),
                 MaybeProcessed::yes));
    return true;
  }
  ++report_.redirects;
  request_ = **std::move(next);
  const Result<Url> target = Url::parse(request_.url());
  left_origin_ = left_origin_ || !target || !same_origin(first_origin_, *target);
  if (recorder_) {
    const std::vector<TraceEvent> events = recorder_->events();
    events_before_.insert(events_before_.end(), events.begin(), events.end());
  }
  stream_.reset();  // what a redirect says in its body is for people without a client
  transports_.give_back(transport_);
  transport_.reset();
  report_.head.reset();
  send_hop();
  return true;
}

void Exchange::fail(Error error) {
  report_.error = std::move(error);
  finish();
}

void Exchange::finish() {
  const Duration elapsed = Clock::now() - hop_began_;
  stream_.reset();
  transports_.give_back(transport_);
  transport_.reset();
  if (file_ && !file_->finish()) report_.output_error = plan_.output + ": " + file_->failure();
  const std::vector<TraceEvent> events = recorder_ ? recorder_->events() : std::vector<TraceEvent>();
  if (report_.head) {
    report_.connection = connection_report(report_.head->connection);
    if (delivery_ != Delivery::whole) report_.times = times_report(report_.head->times);
  } else {
    report_.connection = connection_report(events);
    report_.times = times_report(events, elapsed);
    for (const TraceEvent& event : events) report_.retries += event.kind == TraceEvent::retry;
  }
  // The head of a streamed response knows no end.
  if (delivery_ != Delivery::whole || report_.times.total == Duration::zero()) report_.times.total = elapsed;
  if (rules_.trace && rules_.record) {
    report_.trace = std::move(events_before_);
    report_.trace->insert(report_.trace->end(), events.begin(), events.end());
  }
  report_.method = request_.method();
  report_.final_url = request_.url();
  Callback<void(Report)> done = std::move(done_);
  done(std::move(report_));
}

void Exchange::say(const std::string& lines) const {
  print(inbox_ ? "[" + std::to_string(report_.number) + "] " : "", lines);
}

}  // namespace trunkline::cli
