// The layers over a RoundTripper that answers as it is told, blocking and with callbacks: both must do the same.
#include <trunkline/policy.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include <trunkline/client.hpp>

namespace trunkline {
namespace {

using namespace std::chrono_literals;

using Answer = Result<Response>;

Answer status(int code, std::initializer_list<std::pair<std::string_view, std::string_view>> fields = {}) {
  Response response;
  response.status = code;
  for (const auto& [name, value] : fields) response.headers.add(name, value);
  return response;
}

Answer failure(ErrorCode code, MaybeProcessed processed = MaybeProcessed::unknown) {
  Error error(code, Phase::first_byte, "told so");
  error.maybe_processed = processed;
  return error;
}

// Answers from a list; the last answer goes on for ever.
class Told final : public RoundTripper {
 public:
  explicit Told(std::deque<Answer> answers) : answers_(std::move(answers)) {}

  Result<ResponseStream> open(Request&&) override { return Error(ErrorCode::unsupported, Phase::prepare, "not told"); }
  Result<Response> send(Request&& request) override { return answer(std::move(request)); }
  CallHandle start(Request&& request, Callback<void(Result<Response>)>&& done) override {
    Answer reply = answer(std::move(request));
    std::thread([reply = std::move(reply), done = std::move(done)]() mutable { done(std::move(reply)); }).detach();
    return {};
  }
  CallHandle start_open(Request&&, Callback<void(Result<ResponseStream>)>&&) override { return {}; }

  std::vector<Request> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  Answer answer(Request&& request) {
    std::lock_guard lock(mutex_);
    seen_.push_back(std::move(request));
    Answer next = answers_.front();
    if (answers_.size() > 1) answers_.pop_front();
    return next;
  }

  std::mutex mutex_;
  std::deque<Answer> answers_;
  std::vector<Request> seen_;
};

std::string unused_origin() {
  static std::atomic<int> next{0};
  return "http://unused" + std::to_string(++next) + ".test";
}

// The same, blocking and with a callback.
void both(const std::function<void(const std::function<Answer(RoundTripper&, Request)>&)>& test) {
  {
    SCOPED_TRACE("blocking");
    test([](RoundTripper& way, Request request) { return way.send(std::move(request)); });
  }
  SCOPED_TRACE("with a callback");
  test([](RoundTripper& way, Request request) {
    std::promise<Answer> promise;
    way.start(std::move(request), [&](Answer answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
  });
}

RetryPolicy hasty() {
  RetryPolicy policy;
  policy.backoff = 1ms;
  return policy;
}

PolicyStats::Route stats_of(const std::string& origin) {
  for (const auto& each : policy_stats().routes) {
    if (each.route == origin + ":80") return each;
  }
  return {};
}

TEST(Retries, send_again_until_it_works_or_the_attempts_are_used_up) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    const auto told =
        std::make_shared<Told>(std::deque<Answer>{status(503), failure(ErrorCode::connection_reset), status(200)});
    const Answer reply = send(*with_retries(told, hasty()), get(origin + "/x"));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(told->seen().size(), 3U);
    EXPECT_EQ(stats_of(origin).requests, 1U);
    EXPECT_EQ(stats_of(origin).retries, 2U);

    const auto down = std::make_shared<Told>(std::deque<Answer>{status(502)});
    EXPECT_EQ(send(*with_retries(down, hasty()), get(origin))->status, 502);
    EXPECT_EQ(down->seen().size(), 3U);
  });
}

TEST(Retries, never_send_again_what_may_have_been_done_unless_it_carries_a_key) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    const auto told = std::make_shared<Told>(std::deque<Answer>{failure(ErrorCode::connection_reset)});
    EXPECT_FALSE(send(*with_retries(told, hasty()), post(origin, "x")));
    EXPECT_EQ(told->seen().size(), 1U);
    EXPECT_FALSE(send(*with_retries(told, hasty()), post(origin, "x").header("Idempotency-Key", "1")));
    EXPECT_EQ(told->seen().size(), 4U);
    EXPECT_EQ(told->seen().back().body(), "x");
    EXPECT_TRUE(told->seen().back().is_idempotent()) << "the transport may rely on it too";

    const auto refusing =
        std::make_shared<Told>(std::deque<Answer>{failure(ErrorCode::connect_failed, MaybeProcessed::no), status(201)});
    EXPECT_EQ(send(*with_retries(refusing, hasty()), post(origin, "x"))->status, 201);
  });
}

TEST(Retries, wait_as_long_as_the_server_asks_but_not_for_days) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    const auto patient = std::make_shared<Told>(std::deque<Answer>{status(429, {{"Retry-After", "0"}}), status(200)});
    EXPECT_EQ(send(*with_retries(patient, hasty()), get(origin))->status, 200);
    const auto days = std::make_shared<Told>(std::deque<Answer>{status(429, {{"Retry-After", "1555200"}})});
    EXPECT_EQ(send(*with_retries(days, hasty()), get(origin))->status, 429);
    EXPECT_EQ(days->seen().size(), 1U);
  });
}

TEST(Retries, stop_at_the_requests_own_time_limit) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    const auto told = std::make_shared<Told>(std::deque<Answer>{status(503, {{"Retry-After", "30"}})});
    const Answer reply = send(*with_retries(told), get(origin).total_timeout(5s));
    EXPECT_EQ(stats_of(origin).retries, 0U);
    EXPECT_EQ(stats_of(origin).retries_refused, 0U) << "the budget was not asked";
    EXPECT_EQ(reply->status, 503) << "what is there, at once: a pause of 30 s would be for nothing";
    EXPECT_EQ(told->seen().size(), 1U);
    EXPECT_LE(*told->seen()[0].total_timeout(), Duration(5s));
    // The same limit, said among all the others.
    Request with_all = get(origin);
    Timeouts times;
    times.total = 5s;
    with_all.timeouts(times);
    const auto also = std::make_shared<Told>(std::deque<Answer>{status(503, {{"Retry-After", "30"}})});
    EXPECT_EQ(send(*with_retries(also), std::move(with_all))->status, 503);
    EXPECT_EQ(also->seen().size(), 1U);
  });
}

TEST(Retries, begin_none_later_than_they_are_told) {
  both([](const auto& send) {
    RetryPolicy policy;
    policy.backoff = policy.shortest_backoff = policy.longest_backoff = 10s;
    policy.give_up_after = 5s;
    const auto told = std::make_shared<Told>(std::deque<Answer>{status(503)});
    EXPECT_EQ(send(*with_retries(told, policy), get(unused_origin()))->status, 503);
    EXPECT_EQ(told->seen().size(), 1U);
  });
}

TEST(Retries, keep_within_their_budget) {
  const std::string origin = unused_origin();
  const auto down = std::make_shared<Told>(std::deque<Answer>{status(503)});
  for (int i = 0; i < 200; ++i) {
    // A client that is re-created for each call has no budget of its own.
    Client client(with_retries(down, hasty()));
    EXPECT_EQ(client.get(origin)->status, 503);
  }
  EXPECT_LE(down->seen().size(), 200U + 40 + 12);
  EXPECT_GT(stats_of(origin).retries_refused, 100U);
}

TEST(Retries, that_are_pausing_can_be_cancelled) {
  class Pausing final : public Tracer {
   public:
    void on_event(const TraceEvent& event) override {
      if (event.kind == TraceEvent::retry) begun.set_value();
    }
    std::promise<void> begun;
  };
  const auto pausing = std::make_shared<Pausing>();
  const auto told = std::make_shared<Told>(std::deque<Answer>{status(503, {{"Retry-After", "30"}})});
  std::promise<Answer> promise;
  const auto way = with_retries(told);
  const CallHandle call =
      way->start(get(unused_origin()).trace(pausing), [&](Answer answer) { promise.set_value(std::move(answer)); });
  pausing->begun.get_future().wait();
  call.cancel();
  const Answer reply = promise.get_future().get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::cancelled);
  EXPECT_EQ(told->seen().size(), 1U);
}

TEST(Breaker, refuses_what_would_fail_and_lets_a_probe_through) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    BreakerPolicy policy;
    policy.open_for = 20ms;
    policy.probes = 1;
    std::deque<Answer> answers(5, failure(ErrorCode::connect_failed, MaybeProcessed::no));
    answers.push_back(status(200));
    const auto told = std::make_shared<Told>(std::move(answers));
    const auto way = with_breaker(told, policy);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(send(*way, get(origin)).error().code, ErrorCode::connect_failed);
    const Answer refused = send(*with_breaker(told, policy), get(origin));
    ASSERT_FALSE(refused) << "another client of the same policy knows it too";
    EXPECT_EQ(refused.error().code, ErrorCode::circuit_open);
    EXPECT_EQ(refused.error().maybe_processed, MaybeProcessed::no);
    EXPECT_EQ(stats_of(origin).circuit, "open");
    const Answer other = send(*way, get(unused_origin()));
    EXPECT_TRUE(other || other.error().code != ErrorCode::circuit_open) << "another origin is not concerned";
    while (!send(*way, get(origin))) std::this_thread::yield();
    EXPECT_EQ(stats_of(origin).circuit, "closed");
    EXPECT_EQ(stats_of(origin).circuit_opened, 1U);
    EXPECT_GE(stats_of(origin).refused_open, 1U);
  });
}

TEST(Breaker, opens_on_statuses_of_a_failing_server_and_not_on_others) {
  for (const int code : {500, 502, 503, 504, 501, 404, 429}) {
    const std::string origin = unused_origin();
    const auto told = std::make_shared<Told>(std::deque<Answer>{status(code)});
    const auto way = with_breaker(told);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(way->send(get(origin)));
    const bool failing = code == 500 || (code >= 502 && code <= 504);
    EXPECT_EQ(way->send(get(origin)).has_value(), !failing) << code;
  }
}

TEST(Breaker, permits_so_many_at_once) {
  // Holds its answers back until it is told.
  class Holding final : public RoundTripper {
   public:
    Result<ResponseStream> open(Request&&) override { return Error(); }
    Result<Response> send(Request&&) override { return Error(); }
    CallHandle start(Request&&, Callback<void(Result<Response>)>&& done) override {
      held.push_back(std::move(done));
      return {};
    }
    CallHandle start_open(Request&&, Callback<void(Result<ResponseStream>)>&&) override { return {}; }
    std::vector<Callback<void(Result<Response>)>> held;
  };
  const std::string origin = unused_origin();
  const auto holding = std::make_shared<Holding>();
  BreakerPolicy policy;
  policy.most_at_once = 2;
  const auto way = with_breaker(holding, policy);
  int answered = 0;
  for (int i = 0; i < 2; ++i) way->start(get(origin), [&](Answer) { ++answered; });
  ASSERT_EQ(holding->held.size(), 2U);
  const Answer refused = way->send(get(origin));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::limit_reached);
  for (auto& each : holding->held) each(status(200));
  EXPECT_EQ(answered, 2);
  way->start(get(origin), [](Answer) {});
  EXPECT_EQ(holding->held.size(), 3U);
  holding->held.back()(status(200));
  holding->held.clear();  // they hold what holds them
}

TEST(Redirects, are_followed_up_to_a_limit) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    const auto told = std::make_shared<Told>(
        std::deque<Answer>{status(302, {{"Location", "/b"}}), status(307, {{"Location", "c?d"}}), status(200)});
    const Answer reply = send(*with_redirects(told), post(origin + "/a", "x"));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
    const auto seen = told->seen();
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen[1].method(), "GET");
    EXPECT_EQ(seen[2].url(), origin + "/c?d");
    EXPECT_EQ(stats_of(origin).redirects, 2U);

    const auto deeper = std::make_shared<Told>(std::deque<Answer>{status(301, {{"Location", "deeper/"}})});
    const Answer endless = send(*with_redirects(deeper), get(origin));
    ASSERT_FALSE(endless);
    EXPECT_EQ(endless.error().code, ErrorCode::limit_exceeded);
    EXPECT_EQ(deeper->seen().size(), 11U);
  });
}

TEST(Redirects, do_not_go_round_in_circles) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    const auto told = std::make_shared<Told>(
        std::deque<Answer>{status(302, {{"Location", "/b"}}), status(302, {{"Location", "/a"}})});
    const Answer round = send(*with_redirects(told), get(origin + "/a"));
    ASSERT_FALSE(round);
    EXPECT_EQ(round.error().code, ErrorCode::limit_exceeded);
    EXPECT_NE(round.error().message.find("circle"), std::string::npos) << round.error().message;
    EXPECT_EQ(told->seen().size(), 2U);
    const auto secretive = std::make_shared<Told>(std::deque<Answer>{status(302, {{"Location", "/a?code=s3cret"}})});
    const Answer refused = send(*with_redirects(secretive), get(origin + "/a?code=s3cret"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message.find("s3cret"), std::string::npos) << refused.error().message;
    // Nor is it one with a cookie on the way, which somebody below may keep.
    const auto login = std::make_shared<Told>(
        std::deque<Answer>{status(302, {{"Location", "/login"}}),
                           status(302, {{"Location", "/a"}, {"Set-Cookie", "session=1"}}), status(200)});
    EXPECT_EQ(send(*with_redirects(login), get(origin + "/a"))->status, 200);
    // The form's own page after it was sent is no circle.
    const auto form = std::make_shared<Told>(std::deque<Answer>{status(303, {{"Location", "/form"}}), status(200)});
    EXPECT_EQ(send(*with_redirects(form), post(origin + "/form", "x"))->status, 200);
  });
}

TEST(Redirects, that_fail_on_their_way_have_been_processed_by_the_first_server) {
  both([](const auto& send) {
    const std::string origin = unused_origin();
    const auto told = std::make_shared<Told>(
        std::deque<Answer>{status(303, {{"Location", "/done"}}), failure(ErrorCode::connect_failed), status(200)});
    const Answer reply = send(*with_retries(with_redirects(told), hasty()), post(origin + "/order", "x"));
    ASSERT_FALSE(reply) << "the order was sent twice";
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::yes);
    EXPECT_EQ(told->seen().size(), 2U);
    // Who was only sent elsewhere with it may try again.
    const auto elsewhere = std::make_shared<Told>(std::deque<Answer>{
        status(307, {{"Location", "/other"}}), failure(ErrorCode::connect_failed, MaybeProcessed::no), status(200)});
    const Answer again = send(*with_retries(with_redirects(elsewhere), hasty()), post(origin + "/order", "x"));
    ASSERT_TRUE(again);
    EXPECT_EQ(elsewhere->seen().size(), 3U);
  });
}

TEST(Redirects, tell_where_they_come_from_only_when_asked_and_never_too_much) {
  const auto referer = [](const std::string& from, const std::string& to, bool asked) {
    const auto told = std::make_shared<Told>(std::deque<Answer>{status(302, {{"Location", to}}), status(200)});
    RedirectPolicy policy;
    policy.referer = asked;
    policy.allow_downgrade = true;
    EXPECT_TRUE(with_redirects(told, policy)->send(get(from).header("Referer", "http://before.test/")));
    return std::string(told->seen().back().headers().get("Referer").value_or("none"));
  };
  EXPECT_EQ(referer("http://u:p@a.test/x?y#z", "/b", true), "http://a.test/x?y");
  EXPECT_EQ(referer("http://a.test/x?y", "http://b.test/", true), "http://a.test/");
  EXPECT_EQ(referer("https://a.test/x", "http://a.test/", true), "none");
  EXPECT_EQ(referer("http://a.test/x", "http://b.test/", false), "none");
}

// Has something for its own origin only, as a transport with a client certificate.
class Attached final : public RoundTripper {
 public:
  explicit Attached(std::deque<Answer> answers) : own_(std::move(answers)) {}
  Result<ResponseStream> open(Request&& request) override { return own_.open(std::move(request)); }
  Result<Response> send(Request&& request) override { return own_.send(std::move(request)); }
  CallHandle start(Request&& request, Callback<void(Result<Response>)>&& done) override {
    return own_.start(std::move(request), std::move(done));
  }
  CallHandle start_open(Request&&, Callback<void(Result<ResponseStream>)>&&) override { return {}; }
  std::shared_ptr<RoundTripper> elsewhere() override { return elsewhere_; }

  Told own_;
  std::shared_ptr<Told> elsewhere_ = std::make_shared<Told>(std::deque<Answer>{status(200)});
};

TEST(Redirects, leave_behind_what_is_meant_for_one_origin_through_other_layers_too) {
  both([](const auto& send) {
    const std::string home = unused_origin();
    const std::string away = unused_origin();
    const auto attached =
        std::make_shared<Attached>(std::deque<Answer>{status(302, {{"Location", away + "/"}}), status(500)});
    const auto layers = with_redirects(with_retries(with_breaker(attached), hasty()));
    ASSERT_EQ(send(*layers, get(home))->status, 200);
    EXPECT_EQ(attached->own_.seen().size(), 1U);
    EXPECT_EQ(attached->elsewhere_->seen().size(), 1U);
    const auto plain = std::make_shared<Told>(std::deque<Answer>{status(302, {{"Location", away + "/"}}), status(204)});
    EXPECT_EQ(send(*with_redirects(with_retries(plain)), get(home))->status, 204) << "nothing to leave behind";
  });
}

TEST(Choose, takes_the_credentials_proxy_first_and_then_the_configured_one_and_then_the_callers_own) {
  const auto own = std::make_shared<Told>(std::deque<Answer>{status(200)});
  const auto proxy_of = [](const std::shared_ptr<RoundTripper>& way) {
    const auto transport = std::dynamic_pointer_cast<Transport>(way);
    return transport ? transport->options().proxy : std::string("not a transport");
  };
  EXPECT_EQ(proxy_of(choose({"http://cred.test:1", "http://conf.test:2", own})), "http://cred.test:1");
  EXPECT_EQ(proxy_of(choose({"", "http://conf.test:2", own})), "http://conf.test:2");
  EXPECT_EQ(choose({"", "", own}), own);
  EXPECT_EQ(choose({}), Transport::shared(Options::executor()));
}

TEST(Choose, makes_five_transports_for_a_thousand_calls_with_five_proxies) {
  std::vector<std::shared_ptr<RoundTripper>> held;
  std::set<RoundTripper*> distinct;
  for (int i = 0; i < 1000; ++i) {
    held.push_back(choose({"http://proxy" + std::to_string(i % 5) + ".test:3128", "", nullptr}));
    distinct.insert(held.back().get());
  }
  EXPECT_EQ(distinct.size(), 5U);
}

TEST(Choose, a_proxy_that_cannot_be_understood_fails_the_request) {
  const Answer reply = Client(choose({"http://no such proxy", "", nullptr})).get("http://127.0.0.1:1/");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::rejected);
  EXPECT_NE(reply.error().message.find("proxy"), std::string::npos) << reply.error().message;
}

}  // namespace
}  // namespace trunkline
