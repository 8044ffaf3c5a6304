// The traffic generator against backends of this process.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <trunkline/client.hpp>

#include "services/backend/backend.h"
#include "services/traffic/traffic.h"

namespace trunkline {
namespace {

using backend::Backend;
using std::chrono::milliseconds;
using std::chrono::seconds;
using traffic::Traffic;
using traffic::TrafficFigures;
using traffic::TrafficSettings;

std::unique_ptr<Backend> a_backend() {
  backend::Settings settings;
  settings.listen = "127.0.0.1:0";
  return std::move(Backend::start(settings)).value();
}

double sample(const Backend& backend, const std::string& name) {
  const Result<Response> page = Client().get("http://" + backend.address() + "/metrics");
  if (!page) return -1;
  const std::size_t at = page->body.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::stod(page->body.substr(at + name.size() + 2));
}

double active(const Backend& backend) { return sample(backend, "active_ws_connections"); }

// Looks again and again, as there is nobody who would tell; gives up after a long time.
bool becomes_true(const std::function<bool()>& question) {
  for (const auto end = std::chrono::steady_clock::now() + seconds(30); std::chrono::steady_clock::now() < end;) {
    if (question()) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}

// Who may be connected to.
class Present {
 public:
  void set(std::vector<std::string> places) {
    const std::lock_guard lock(mutex_);
    places_ = std::move(places);
  }
  Traffic::Backends get() {
    return [this] {
      const std::lock_guard lock(mutex_);
      return places_;
    };
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> places_;
};

TrafficSettings steady(double websockets) {
  TrafficSettings settings;
  settings.shape = {.kind = traffic::ShapeKind::steady, .low = websockets, .high = websockets};
  settings.message_every = milliseconds(100);
  settings.requests_per_second = 200;
  return settings;
}

std::uint64_t dials_of(const TrafficFigures& figures) {
  return std::accumulate(figures.dials.begin(), figures.dials.end(), std::uint64_t{0});
}

TEST(DemoTraffic, opens_as_many_as_the_shape_says_on_all_backends_alike) {
  const auto first = a_backend();
  const auto second = a_backend();
  Present present;
  present.set({first->address(), second->address()});
  Traffic traffic(steady(20), present.get());
  traffic.start();
  EXPECT_TRUE(becomes_true([&] { return active(*first) == 10 && active(*second) == 10; }));
  EXPECT_TRUE(becomes_true([&] { return traffic.figures().messages > 40 && traffic.figures().requests > 200; }));
  traffic.stop(seconds(10));
  EXPECT_EQ(active(*first), 0);
  EXPECT_EQ(active(*second), 0);
  const TrafficFigures figures = traffic.figures();
  EXPECT_EQ(figures.open, 0);
  EXPECT_EQ(figures.connects, 20U);
  EXPECT_EQ(figures.connects_failed + figures.sent_away + figures.requests_failed, 0U) << figures.last_error;
  EXPECT_EQ(figures.reused + dials_of(figures), figures.requests);
  EXPECT_LT(dials_of(figures), figures.requests / 4);
  EXPECT_GT(figures.echo_p50, Duration::zero());
  EXPECT_GE(figures.echo_p99, figures.echo_p50);
  EXPECT_EQ(traffic.transport_stats().broken_law(), "");
}

TEST(DemoTraffic, who_is_closed_under_us_connects_elsewhere) {
  auto leaves = a_backend();
  const auto stays = a_backend();
  Present present;
  present.set({leaves->address(), stays->address()});
  Traffic traffic(steady(20), present.get());
  traffic.start();
  EXPECT_TRUE(becomes_true([&] { return active(*leaves) == 10 && active(*stays) == 10; }));
  present.set({stays->address()});
  EXPECT_TRUE(leaves->drain(seconds(10)));
  EXPECT_TRUE(becomes_true([&] { return active(*stays) == 20; }));
  EXPECT_EQ(traffic.figures().sent_away, 10U);
  traffic.stop(seconds(10));
  EXPECT_EQ(traffic.figures().requests_failed, 0U) << traffic.figures().last_error;
}

TEST(DemoTraffic, goes_on_when_the_only_backend_has_gone_and_another_comes) {
  auto first = a_backend();
  Present present;
  present.set({first->address()});
  Traffic traffic(steady(5), present.get());
  traffic.start();
  EXPECT_TRUE(becomes_true([&] { return active(*first) == 5; }));
  first.reset();  // cut off, and still said to be there
  EXPECT_TRUE(becomes_true([&] { return traffic.figures().connects_failed > 0; }));
  const auto second = a_backend();
  present.set({second->address()});
  EXPECT_TRUE(becomes_true([&] { return active(*second) == 5; }));
  traffic.stop(seconds(10));
  EXPECT_EQ(traffic.figures().open, 0);
}

TEST(DemoTraffic, follows_a_wave_up_and_down) {
  const auto backend = a_backend();
  Present present;
  present.set({backend->address()});
  TrafficSettings settings = steady(0);
  settings.shape = {.kind = traffic::ShapeKind::waves, .low = 0, .high = 30, .period = seconds(2)};
  Traffic traffic(settings, present.get());
  traffic.start();
  for (int wave = 0; wave < 2; ++wave) {
    EXPECT_TRUE(becomes_true([&] { return traffic.figures().open >= 25; }));
    EXPECT_TRUE(becomes_true([&] { return traffic.figures().open <= 5; }));
  }
  traffic.stop(seconds(10));
  EXPECT_EQ(active(*backend), 0);
  EXPECT_EQ(traffic.figures().sent_away, 0U);
}

TEST(DemoTraffic, naive_dials_for_every_request) {
  const auto backend = a_backend();
  Present present;
  present.set({backend->address()});
  TrafficSettings settings = steady(3);
  settings.naive = true;
  Traffic traffic(settings, present.get());
  traffic.start();
  EXPECT_TRUE(becomes_true([&] { return traffic.figures().requests > 50 && active(*backend) == 3; }));
  traffic.stop(seconds(10));
  const TrafficFigures figures = traffic.figures();
  EXPECT_EQ(figures.reused, 0U);
  EXPECT_EQ(dials_of(figures), figures.requests);
  EXPECT_TRUE(becomes_true([&] { return active(*backend) == 0; }));
}

}  // namespace
}  // namespace trunkline
