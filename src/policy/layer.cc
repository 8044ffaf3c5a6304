#include "policy/layer.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "client/engine.h"
#include "client/time_limits.h"
#include "net/loop.h"

namespace trunkline {
namespace {

const ResponseHead* head_of(const Result<Response>& reply) { return reply ? &*reply : nullptr; }
const ResponseHead* head_of(const Result<ResponseStream>& reply) { return reply ? &reply->head() : nullptr; }

Error cancelled() { return {ErrorCode::cancelled, Phase::queue, "the request was cancelled"}; }

// What is delivered as an open stream is not over yet.
void watch(Result<Response>&, Journey&) {}
void watch(Result<ResponseStream>& reply, Journey& journey) {
  if (std::shared_ptr<StreamWatch> watch = journey.watch(); watch && reply) reply->watch(std::move(watch));
}

// The next sending should find the connection of the last one, and its server nobody who reads on.
void let_go(Result<Response>&) {}
void let_go(Result<ResponseStream>& reply) {
  if (reply) reply->close();
}

// The total time limit of a request bounds all its sendings together.
class TotalLimit {
 public:
  TotalLimit(const Request& request, TimePoint now) : until_(after(now, limit_of(request))) {}

  TimePoint until() const { return until_; }
  void apply(Request& request, TimePoint now) const {
    if (until_ != never) request.total_timeout(std::max<Duration>(until_ - now, std::chrono::nanoseconds(1)));
  }

 private:
  static Duration limit_of(const Request& request) {
    if (request.total_timeout()) return *request.total_timeout();
    return request.timeouts() ? request.timeouts()->total : Duration::zero();
  }

  TimePoint until_;
};

// One request with a callback. Lives until its callback has been called, which holds it by the calls and timers that it
// has under way.
template <class Reply>
class Passage final : public Cancellable, public net::Timer, public std::enable_shared_from_this<Passage<Reply>> {
 public:
  Passage(std::shared_ptr<RoundTripper> next, std::unique_ptr<Journey> journey, TotalLimit limit,
          Callback<void(Result<Reply>)>&& done)
      : next_(std::move(next)),
        journey_(std::move(journey)),
        limit_(limit),
        done_(std::move(done)),
        loop_(net::Loop::current() != nullptr ? *net::Loop::current() : Engine::instance().next_loop()) {}

  void begin() {
    Result<Journey::Sending> sending = journey_->depart(Clock::now());
    if (sending) return send(*std::move(sending));
    // Never from inside the call that started this.
    loop_.post([self = this->shared_from_this(), error = std::move(sending).error()]() mutable {
      self->finish(std::move(error));
    });
  }

  void cancel() override {
    CallHandle call;
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(cancelled_, true)) return;
      call = call_;
    }
    call.cancel();
    loop_.post([self = this->shared_from_this()] {
      if (self->pausing_) self->end_pause(cancelled());
    });
  }

  void on_timer() override {
    if (!pausing_) return;
    if (loop_.now() < until_) return loop_.set_timer(*this, until_);
    end_pause(std::nullopt);
  }

 private:
  void send(Journey::Sending&& sending) {
    limit_.apply(sending.request, Clock::now());
    RoundTripper& through = sending.through ? *sending.through : *next_;
    through_ = std::move(sending.through);
    const int number = ++sendings_;
    auto done = [self = this->shared_from_this()](Result<Reply> reply) { self->arrived(std::move(reply)); };
    CallHandle call;
    if constexpr (std::is_same_v<Reply, Response>) {
      call = through.start(std::move(sending.request), std::move(done));
    } else {
      call = through.start_open(std::move(sending.request), std::move(done));
    }
    bool cancelled = false;
    {
      std::lock_guard lock(mutex_);
      // The next one may be under way already, and in its place: this one is over then.
      if (number > newest_) {
        newest_ = number;
        call_ = call;
      }
      cancelled = cancelled_;
    }
    if (cancelled) call.cancel();
  }

  void arrived(Result<Reply> reply) {
    const TimePoint now = Clock::now();
    Journey::Verdict verdict = journey_->judge(head_of(reply), reply ? nullptr : &reply.error(), now, limit_.until());
    if (verdict.kind == Journey::Verdict::fail) return finish(std::move(*verdict.error));
    if (verdict.kind == Journey::Verdict::deliver) {
      watch(reply, *journey_);
      return finish(std::move(reply));
    }
    if (is_cancelled()) return finish(cancelled());
    // A stream that is dropped gives its connection back in this loop's next turn: what is posted now comes after it.
    const bool was_open = std::is_same_v<Reply, ResponseStream> && reply;
    {
      const Result<Reply> dropped = std::move(reply);
    }
    if (verdict.pause > Duration::zero()) return pause(now + verdict.pause);
    net::Loop* const here = net::Loop::current();
    if (was_open && here != nullptr) return here->post([self = this->shared_from_this()] { self->resume(); });
    resume();
  }

  void resume() {
    if (is_cancelled()) return finish(cancelled());
    Result<Journey::Sending> sending = journey_->depart(Clock::now());
    if (!sending) return finish(std::move(sending).error());
    send(*std::move(sending));
  }

  void pause(TimePoint until) {
    loop_.post([self = this->shared_from_this(), until] {
      if (self->is_cancelled()) return self->finish(cancelled());
      self->pausing_ = self;
      self->until_ = until;
      self->loop_.set_timer(*self, until);
    });
  }

  void end_pause(std::optional<Error> why) {
    loop_.cancel_timer(*this);
    const std::shared_ptr<Passage> self = std::exchange(pausing_, nullptr);
    if (why) {
      finish(std::move(*why));
    } else {
      resume();
    }
  }

  bool is_cancelled() {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }

  void finish(Result<Reply> reply) {
    journey_.reset();
    std::exchange(done_, {})(std::move(reply));
  }

  std::shared_ptr<RoundTripper> next_;
  std::shared_ptr<RoundTripper> through_;  // of the sending under way
  std::unique_ptr<Journey> journey_;
  TotalLimit limit_;
  Callback<void(Result<Reply>)> done_;
  net::Loop& loop_;
  TimePoint until_ = never;
  std::shared_ptr<Passage> pausing_;  // itself, while nothing else holds it

  int sendings_ = 0;

  std::mutex mutex_;
  CallHandle call_;
  int newest_ = 0;  // of the sendings: whose call that is
  bool cancelled_ = false;
};

}  // namespace

template <class Reply>
Result<Reply> Layer::run(Request&& request) {
  const TotalLimit limit(request, Clock::now());
  const std::unique_ptr<Journey> way = journey(std::move(request));
  for (;;) {
    Result<Journey::Sending> sending = way->depart(Clock::now());
    if (!sending) return std::move(sending).error();
    limit.apply(sending->request, Clock::now());
    RoundTripper& through = sending->through ? *sending->through : *next_;
    Result<Reply> reply = [&]() -> Result<Reply> {
      if constexpr (std::is_same_v<Reply, Response>) {
        return through.send(std::move(sending->request));
      } else {
        return through.open(std::move(sending->request));
      }
    }();
    Journey::Verdict verdict =
        way->judge(head_of(reply), reply ? nullptr : &reply.error(), Clock::now(), limit.until());
    if (verdict.kind == Journey::Verdict::fail) return std::move(*verdict.error);
    if (verdict.kind == Journey::Verdict::deliver) {
      watch(reply, *way);
      return reply;
    }
    let_go(reply);
    std::this_thread::sleep_for(verdict.pause);
  }
}

template <class Reply>
CallHandle Layer::launch(Request&& request, Callback<void(Result<Reply>)>&& done) {
  const TotalLimit limit(request, Clock::now());
  auto passage = std::make_shared<Passage<Reply>>(next_, journey(std::move(request)), limit, std::move(done));
  passage->begin();
  return CallHandle(passage);
}

Result<ResponseStream> Layer::open(Request&& request) { return run<ResponseStream>(std::move(request)); }
Result<Response> Layer::send(Request&& request) { return run<Response>(std::move(request)); }
CallHandle Layer::start(Request&& request, Callback<void(Result<Response>)>&& done) {
  return launch<Response>(std::move(request), std::move(done));
}
CallHandle Layer::start_open(Request&& request, Callback<void(Result<ResponseStream>)>&& done) {
  return launch<ResponseStream>(std::move(request), std::move(done));
}

std::shared_ptr<RoundTripper> Layer::elsewhere() {
  std::shared_ptr<RoundTripper> there = next_->elsewhere();
  return there ? over(std::move(there)) : nullptr;
}

}  // namespace trunkline
