#include "exchange.h"

#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <trunkline/url.hpp>

namespace trunkline::cli {
namespace {

using namespace std::chrono_literals;

// Answers by the path and remembers what it was asked. Whole responses only: streams need a connection behind them.
class FakeTransport : public Transport {
 public:
  FakeTransport(Options options, std::vector<Request>& seen) : options_(std::move(options)), seen_(seen) {}

  Result<Response> send(Request&& request) override {
    seen_.push_back(request);
    const Result<Url> url = Url::parse(request.url());
    if (!url) return url.error();
    if (url->path() == "/slow") {
      std::this_thread::sleep_for(30ms);
      if (request.total_timeout() && *request.total_timeout() < 30ms) {
        return Error(ErrorCode::timeout_total, Phase::first_byte, "too slow");
      }
    }
    if (url->path() == "/refused") return Error(ErrorCode::connect_failed, Phase::connect, "refused");
    Response response;
    response.status = url->has_query() ? 302 : 200;
    if (url->has_query()) response.headers.add("Location", url->query());
    response.connection.id = 1;
    if (request.tracer()) {
      TraceEvent again;
      again.kind = TraceEvent::retry;
      request.tracer()->on_event(again);
    }
    response.body = request.method() + " " + std::string(url->path());
    return response;
  }
  Result<ResponseStream> open(Request&&) override {
    return Error(ErrorCode::unsupported, Phase::prepare, "no streams");
  }
  CallHandle start(Request&& request, Callback<void(Result<Response>)>&& done) override {
    // Joined at once: the answer still comes on another thread, before anything reads the inbox.
    std::thread([&] { done(send(std::move(request))); }).join();
    return {};
  }
  CallHandle start_open(Request&&, Callback<void(Result<ResponseStream>)>&&) override { return {}; }
  Result<void> ready() const override { return {}; }
  const Options& options() const override { return options_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  Stats stats() const override { return {}; }
  bool warm(const std::string&) override { return false; }
  ConnectionList connections(const ConnectionQuery&) const override { return {}; }
  void invalidate(const std::string&) override {}
  bool drain(Duration) override { return true; }

 private:
  Options options_;
  std::vector<Request>& seen_;
  std::string fingerprint_;
};

class ExchangeTest : public ::testing::Test {
 protected:
  Sharing sharing() {
    const auto make = [this](const Options& wanted) {
      made.push_back(wanted);
      return std::make_shared<FakeTransport>(wanted, seen);
    };
    return {.recreate = recreate, .isolated = false, .shared = make, .create = make};
  }

  Report run(const PlannedRequest& plan, Inbox* inbox = nullptr) {
    Transports transports(options, sharing());
    Output out = Output::to_stdout();
    Exchange exchange(plan, 1, Delivery::whole, rules, transports, out, inbox);
    std::optional<Report> report;
    exchange.begin([&report](Report done) { report = std::move(done); });
    while (inbox && !report) inbox->run_one();
    EXPECT_TRUE(report) << "never finished";
    return report ? std::move(*report) : Report();
  }

  static PlannedRequest get(const std::string& url) {
    PlannedRequest plan;
    plan.method = "GET";
    plan.url = url;
    return plan;
  }

  Options options;
  ExchangeRules rules;
  bool recreate = false;
  std::vector<Options> made;  // transports that were asked for
  std::vector<Request> seen;  // requests that were sent
};

TEST_F(ExchangeTest, says_the_same_whether_calls_block_or_not) {
  rules.redirects.emplace();
  Inbox inbox;
  for (Inbox* way : {static_cast<Inbox*>(nullptr), &inbox}) {
    const Report report = run(get("http://a/x?/y"), way);
    ASSERT_TRUE(report.head);
    EXPECT_EQ(report.head->status, 200);
    EXPECT_EQ(report.body, "GET /y");
    EXPECT_EQ(report.body_bytes, 6u);
    EXPECT_EQ(report.redirects, 1);
    EXPECT_EQ(report.retries, 2) << "one of each hop";
    EXPECT_EQ(report.url, "http://a/x?/y");
    EXPECT_EQ(report.final_url, "http://a/y");
    EXPECT_FALSE(report.error);
  }
}

TEST_F(ExchangeTest, shows_a_redirect_that_it_is_not_told_to_follow) {
  const Report report = run(get("http://a/x?/y"));
  EXPECT_EQ(report.head->status, 302);
  EXPECT_EQ(report.redirects, 0);
}

TEST_F(ExchangeTest, ends_loops) {
  rules.redirects.emplace().most = 3;
  const Report report = run(get("http://a/x?/x?/x?/x?/x?/x"));
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code, ErrorCode::limit_exceeded);
  EXPECT_EQ(seen.size(), 4u);
}

TEST_F(ExchangeTest, keeps_credentials_and_certificate_from_other_origins_for_good) {
  rules.redirects.emplace();
  options.tls.certificate_file = "me.pem";
  options.tls.key_file = "me.key";
  options.tls.server_name = "a";
  run(get("http://me:secret@a/x?http://b/x?http://a/z"));
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_TRUE(seen[0].headers().contains("Authorization"));
  EXPECT_FALSE(seen[1].headers().contains("Authorization"));
  EXPECT_FALSE(seen[2].headers().contains("Authorization")) << "not on the way back either";
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0].tls.certificate_file, "me.pem");
  EXPECT_EQ(made[1].tls.certificate_file, "");
  EXPECT_EQ(made[1].tls.key_file, "");
  EXPECT_EQ(made[1].tls.server_name, "");
}

TEST_F(ExchangeTest, spends_one_time_limit_on_all_hops) {
  rules.redirects.emplace();
  PlannedRequest plan = get("http://a/slow?/slow?/slow?/slow");
  plan.total = 50ms;
  const Report report = run(plan);
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code, ErrorCode::timeout_total);
  ASSERT_GE(seen.size(), 2u);
  EXPECT_LE(*seen[0].total_timeout(), 50ms);
  EXPECT_GT(*seen[0].total_timeout(), 30ms);
  EXPECT_LT(*seen[1].total_timeout(), 30ms);
}

TEST_F(ExchangeTest, asks_for_a_transport_per_request_when_told_so) {
  recreate = true;
  PlannedRequest plan = get("http://a/");
  plan.total = 7s;
  run(plan);
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].timeouts.total, 7s) << "the handle's, so that handles differ and sockets do not";
}

TEST_F(ExchangeTest, reports_what_went_wrong) {
  const Report report = run(get("http://u:p@a/refused"));
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code, ErrorCode::connect_failed);
  EXPECT_EQ(report.url, "http://a/refused");
  EXPECT_FALSE(report.head);
  EXPECT_TRUE(run(get("no url")).error);
}

}  // namespace
}  // namespace trunkline::cli
