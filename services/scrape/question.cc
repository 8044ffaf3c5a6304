#include "services/scrape/question.h"

#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <utility>

#include "base/text.h"

namespace trunkline::scrape {
namespace {

// Of a response that is no exposition: read, so that its connection lives, but not at any length.
constexpr std::size_t most_drained = 64 * 1024;

// By descending preference, as Prometheus asks. Accept-Encoding is the library's own, so that it decodes what comes.
constexpr std::string_view accept =
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

Request request_for(const Question& question) {
  Request request = get(question.target->url);
  request.header("Accept", accept);
  std::array<char, 32> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%.3f", std::chrono::duration<double>(question.useful_for).count());
  request.header("X-Prometheus-Scrape-Timeout-Seconds", seconds.data());
  if (!question.authorization.empty()) request.header("Authorization", question.authorization);
  request.total_timeout(question.timeout);
  return request;
}

// Reads one response on its loop thread. It holds itself until it has answered.
class Reading : public std::enable_shared_from_this<Reading> {
 public:
  Reading(const Question& question, Callback<void(Answer)> done)
      : limits_(question.limits),
        wanted_(question.wanted),
        collector_(question.kept_bytes),
        warmed_(question.warmed),
        started_(Clock::now()),
        done_(std::move(done)) {}

  void on_head(Result<ResponseStream> response) {
    if (!response) return fail(response.error());
    answer_.taken = Clock::now();
    stream_.emplace(std::move(*response));
    const ResponseHead& head = stream_->head();
    TargetReport& report = answer_.report;
    report.status = head.status;
    report.connected = true;
    report.reused = head.connection.reused;
    report.dial_reason = head.connection.dial_reason;
    report.miss = head.connection.reuse_miss;
    report.retries = head.retries;
    // One of first dials saves nothing: there was none that could have lasted.
    report.warmed = warmed_ && report.reused && report.retries == 0;
    if (const auto field = head.headers.get("Keep-Alive")) report.keep_alive = keep_alive_timeout(*field);

    const std::string_view type = head.headers.get("Content-Type").value_or("text/plain");
    const std::optional<metrics::Format> format = metrics::format_of(type);
    if (head.status != 200) {
      decided(Outcome::refused, "it answered " + std::to_string(head.status) + " " + printable(head.reason, 64));
    } else if (!format) {
      decided(Outcome::not_metrics, "its Content-Type " + printable(type, 128) +
                                        " is neither Prometheus's text nor "
                                        "OpenMetrics");
    } else {
      parser_.emplace(*format, collector_, std::move(wanted_), limits_);
    }
    read();
  }

 private:
  void read() {
    stream_->start_read(buffer_,
                        [self = shared_from_this()](Result<std::size_t> got) { self->on_read(std::move(got)); });
  }

  void on_read(Result<std::size_t> got) {
    if (!got) {
      if (decided_) return finish();
      return fail(got.error());
    }
    answer_.report.bytes += *got;
    if (*got == 0) return on_end();
    if (!decided_) {
      if (const Result<void> fed = parser_->feed({buffer_.data(), *got}); !fed) {
        decided(Outcome::too_large, fed.error().message);
        return finish();
      }
      if (collector_.too_many()) {
        decided(Outcome::too_large, "the samples wanted of it take more memory than they may");
        return finish();
      }
      // What follows is read to its end all the same, so that the connection lives.
      if (!collector_.problem().empty()) decided(Outcome::malformed, collector_.problem());
    }
    if (decided_ && answer_.report.bytes > most_drained) return finish();
    read();
  }

  void on_end() {
    if (decided_) return finish();
    const Result<void> ended = parser_->finish();
    answer_.report.samples = parser_->counts().samples;
    if (!ended) {
      decided(Outcome::too_large, ended.error().message);
    } else if (parser_->counts().truncated) {
      decided(Outcome::truncated, "the end of its body is missing");
    } else if (!collector_.problem().empty()) {
      decided(Outcome::malformed, collector_.problem());
    } else {
      answer_.report.outcome = Outcome::ok;
      answer_.samples = std::make_shared<const SampleSet>(collector_.take());
    }
    finish();
  }

  void decided(Outcome outcome, std::string reason) {
    decided_ = true;
    answer_.report.outcome = outcome;
    answer_.report.reason = std::move(reason);
  }

  void fail(const Error& error) {
    decided(outcome_of(error), error.message);
    finish();
  }

  void finish() {
    if (!done_) return;
    answer_.report.duration = Clock::now() - started_;
    stream_.reset();
    Callback<void(Answer)> done = std::move(done_);
    done(std::move(answer_));
  }

  const metrics::ExpositionLimits limits_;
  metrics::Wanted wanted_;
  SampleCollector collector_;
  const bool warmed_;
  const TimePoint started_;
  Callback<void(Answer)> done_;
  Answer answer_;
  bool decided_ = false;
  std::optional<ResponseStream> stream_;
  std::optional<metrics::ExpositionParser> parser_;
  std::array<char, std::size_t{32} * 1024> buffer_;
};

}  // namespace

CallHandle ask(const Client& client, const Question& question, Callback<void(Answer)> done) {
  Request request = request_for(question);
  auto reading = std::make_shared<Reading>(question, std::move(done));
  return client.start_open(std::move(request), [reading = std::move(reading)](Result<ResponseStream> response) {
    reading->on_head(std::move(response));
  });
}

}  // namespace trunkline::scrape
