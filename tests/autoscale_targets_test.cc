// Fleets that somebody else runs: watched only, or scaled by a webhook. Their pods are the targets of a scrape job.
#include <mutex>

#include "services/autoscale_live/autoscaler.h"
#include "services/config/document.h"
#include "support/scraper.h"
#include "support/serving.h"

namespace trunkline::test {
namespace {

using autoscale::Autoscaler;
using autoscale::FleetStatus;
using autoscale::NativePolicy;
using server::Exchange;
using server::Request;

// A scale that is told over HTTP how large it should be, and says how large it is.
struct Scale {
  std::mutex mutex;
  int replicas = 2;
  int status = 200;  // of the answers to orders
  std::vector<std::string> orders;
  std::vector<std::string> authorizations;
  std::set<std::string> keys;  // of the orders: one for each, however often it comes
};

class AutoscaleTargets : public ServingTest {
 protected:
  // Serves /scale and, for two pods at different addresses, /metrics with a load of 20 each.
  void serve_all() {
    server::Router router;
    router.get("/scale", [this](Request request, Exchange exchange) {
      const std::lock_guard lock(scale_.mutex);
      scale_.authorizations.emplace_back(request.headers.get("Authorization").value_or(""));
      exchange.respond({200, "application/json", "{\"replicas\": " + std::to_string(scale_.replicas) + "}"});
    });
    router.post("/scale", [this](Request request, Exchange exchange) {
      auto answer = std::make_shared<Exchange>(std::move(exchange));
      const std::string key(request.headers.get("Idempotency-Key").value_or(""));
      request.body.read_all(1 << 20, [this, answer, key](Result<std::string> body) {
        const std::lock_guard lock(scale_.mutex);
        scale_.orders.push_back(*std::move(body));
        scale_.keys.insert(key);
        if (scale_.status == 200) scale_.replicas = desired_in(scale_.orders.back());
        answer->respond({scale_.status, "application/json", "{}"});
      });
    });
    router.get("/metrics", [](Request, Exchange exchange) { exchange.respond({200, "text/plain", "load 20\n"}); });
    serve(std::move(router));
    scrape::Job job{.name = "web"};
    auto pods = std::make_shared<scrape::StaticSource>(
        std::vector{target_at("http://127.0.0.1:" + std::to_string(port()) + "/metrics", job),
                    target_at("http://localhost:" + std::to_string(port()) + "/metrics", job)});
    jobs_ = std::make_shared<scrape::Collector>(short_cycles(), std::vector<std::shared_ptr<scrape::Source>>{pods});
    ASSERT_TRUE(jobs_->start());
  }
  static int desired_in(const std::string& order) {
    const auto node = config::parse_json(order, "order");
    return node && node->find("desired") ? std::stoi(node->find("desired")->text) : -1;
  }

  std::unique_ptr<Autoscaler> running(autoscale::TargetSettings target) {
    NativePolicy policy{.bounds = {1, 9}};
    policy.metrics = {{.name = "load", .target = {.value = 10}}};
    policy.up.policies.clear();
    policy.fast.enabled = false;
    autoscale::AutoscalerSettings settings;
    settings.fleets = {{.policy = {.name = "web", .rules = policy}, .target = std::move(target)}};
    auto made = Autoscaler::create(std::move(settings), {.jobs = jobs_});
    EXPECT_TRUE(made);
    EXPECT_TRUE((*made)->start());
    return std::move(*made);
  }
  autoscale::WebhookSettings webhook() {
    return {.url = "http://127.0.0.1:" + std::to_string(port()) + "/scale",
            .job = "web",
            .token = "secret-of-the-scale",
            .refresh = milliseconds(50)};
  }
  static FleetStatus status(const Autoscaler& autoscaler) { return autoscaler.fleets().at(0); }
  void TearDown() override {
    jobs_ = nullptr;
    ServingTest::TearDown();
  }

  Scale scale_;
  std::shared_ptr<scrape::Collector> jobs_;
};

TEST_F(AutoscaleTargets, a_webhook_is_told_what_was_decided_and_asked_how_many_there_are) {
  serve_all();
  const auto autoscaler = running(webhook());
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).current == 4; }));
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).decisions > 3; }));
  EXPECT_EQ(status(*autoscaler).ready, 2);
  EXPECT_EQ(status(*autoscaler).trouble, "");
  const std::lock_guard lock(scale_.mutex);
  ASSERT_EQ(scale_.orders.size(), 1U);
  const auto order = config::parse_json(scale_.orders[0], "order");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->find("policy")->text, "web");
  EXPECT_EQ(order->find("current")->text, "2");
  EXPECT_EQ(order->find("action")->text, "up");
  EXPECT_NE(order->find("reason")->text, "");
  EXPECT_EQ(scale_.authorizations.at(0), "Bearer secret-of-the-scale");
  EXPECT_EQ(scale_.keys.size(), 1U);
  EXPECT_FALSE(scale_.keys.contains(""));
}

TEST_F(AutoscaleTargets, an_order_that_is_not_taken_is_said_and_given_again) {
  scale_.status = 500;
  serve_all();
  const auto autoscaler = running(webhook());
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).trouble.find("status 500") != std::string::npos; }));
  EXPECT_EQ(status(*autoscaler).trouble.find("secret"), std::string::npos);
  EXPECT_EQ(status(*autoscaler).current, 2);
  {
    const std::lock_guard lock(scale_.mutex);
    scale_.status = 200;
  }
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).current == 4; }));
  EXPECT_EQ(status(*autoscaler).trouble, "");
}

TEST_F(AutoscaleTargets, nothing_is_decided_while_nobody_says_how_many_there_are) {
  serve_all();
  autoscale::WebhookSettings silent = webhook();
  silent.url = "http://127.0.0.1:" + std::to_string(port()) + "/nothing-here";
  const auto autoscaler = running(silent);
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).trouble.find("status 404") != std::string::npos; }));
  EXPECT_EQ(status(*autoscaler).decisions, 0U);
}

TEST_F(AutoscaleTargets, a_dry_run_decides_and_does_nothing) {
  serve_all();
  const auto autoscaler = running(autoscale::DryRunSettings{.job = "web"});
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).decisions > 2; }));
  const FleetStatus now = status(*autoscaler);
  EXPECT_EQ(now.current, 2) << "as many as the job has targets";
  EXPECT_EQ(now.last->decision.desired, 4);
  EXPECT_TRUE(now.last->decision.dry_run);
  ASSERT_EQ(now.pods.size(), 2U);
  EXPECT_EQ(now.pods[0].url, "http://" + now.pods[0].name + "/metrics");
  autoscaler->set_jobs(nullptr);
  EXPECT_NE(status(*autoscaler).trouble, "");
}

TEST(Webhook, understands_a_number_and_two_names_for_it) {
  for (const std::string_view body : {"3", "{\"replicas\": 3}", "{\"current\": 3, \"more\": []}"}) {
    const auto read = autoscale::read_replicas(body);
    EXPECT_TRUE(read && *read == 3) << body;
  }
  for (const std::string_view body : {"", "three", "-1", "{}", "{\"replicas\": 1.5}", "[3]", "{\"replicas\": null}"}) {
    const auto read = autoscale::read_replicas(body);
    EXPECT_FALSE(read) << body;
  }
}

}  // namespace
}  // namespace trunkline::test
