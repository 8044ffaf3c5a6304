#include <trunkline/options.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <trunkline/transport.hpp>

namespace trunkline {
namespace {

using std::chrono::seconds;
using Names = std::vector<std::string>;

TEST(Options, standard_is_the_default) {
  const OptionsDifference difference = compare(Options(), Options::standard());
  EXPECT_EQ(difference.wire, Names());
  EXPECT_EQ(difference.handle, Names());
}

TEST(Options, scrape_keeps_a_fleet_warm_over_a_cycle_and_changes_nothing_else) {
  const Options options = Options::scrape();
  EXPECT_EQ(options.limits.idle_total, 1000);
  EXPECT_EQ(options.limits.idle_per_host, 5);
  EXPECT_EQ(options.limits.idle_timeout, seconds(30));
  const OptionsDifference difference = compare(options, Options::standard());
  EXPECT_EQ(difference.wire, Names());
  EXPECT_EQ(difference.handle, (Names{"limits.idle_per_host", "limits.idle_total", "limits.idle_timeout"}));
}

TEST(Options, executor_keeps_few_per_provider_and_changes_nothing_else) {
  const Options options = Options::executor();
  EXPECT_EQ(options.limits.idle_total, 200);
  EXPECT_EQ(options.limits.idle_per_host, 20);
  EXPECT_EQ(options.protocol, Protocol::automatic);
  const OptionsDifference difference = compare(options, Options::standard());
  EXPECT_EQ(difference.wire, Names());
  EXPECT_EQ(difference.handle, (Names{"limits.idle_per_host", "limits.idle_total"}));
}

TEST(Options, internal_speaks_h2_in_clear_and_changes_nothing_else) {
  const Options options = Options::internal();
  EXPECT_EQ(options.protocol, Protocol::h2c);
  EXPECT_EQ(options.limits.idle_total, 256);
  EXPECT_EQ(options.limits.idle_per_host, 256);
  EXPECT_EQ(options.limits.open_per_host, 256);
  EXPECT_EQ(options.limits.idle_timeout, seconds(90));
  const OptionsDifference difference = compare(options, Options::standard());
  EXPECT_EQ(difference.wire, Names{"protocol"});
  EXPECT_EQ(difference.handle,
            (Names{"limits.open_per_host", "limits.idle_per_host", "limits.idle_total", "limits.idle_timeout"}));
}

TEST(Options, derive_changes_a_copy) {
  const Options before = Options::scrape();
  const Options after = before.derive([](Options& o) { o.timeouts.total = seconds(30); });
  EXPECT_EQ(compare(before, after).handle, Names{"timeouts.total"});
  EXPECT_EQ(compare(before, after).wire, Names());
  EXPECT_EQ(before.timeouts.total, Duration::zero());
  EXPECT_EQ(compare(before, Options::scrape()).handle, Names());
}

}  // namespace
}  // namespace trunkline
