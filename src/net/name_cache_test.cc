#include "net/name_cache.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace name_cache_test {

using namespace std::chrono_literals;

const TimePoint start{1000h};

std::vector<Address> list(const std::string& ip) {
  Address address;
  EXPECT_TRUE(Address::parse(ip, 0, address));
  return {address};
}

Error error(const char* why = "no answer") { return {ErrorCode::resolve_failed, Phase::resolve, why}; }

// "-": not there. "192.0.2.1" or the error's message; with "+" when it is to be refreshed.
std::string look(NameCache& cache, TimePoint now, const std::string& name = "a.test") {
  const NameCache::Found found = cache.find(name, now);
  if (!found.answer) return found.refresh ? "refresh of nothing" : "-";
  std::string text = found.answer->has_value() ? (*found.answer)->at(0).text() : found.answer->error().message;
  if (text.ends_with(":0")) text.resize(text.size() - 2);
  return text + (found.refresh ? "+" : "");
}

TEST(NameCache, answers_for_the_ttl_and_no_longer) {
  NameCache cache;
  EXPECT_EQ(look(cache, start), "-");
  cache.store("a.test", list("192.0.2.1"), 100s, start);
  EXPECT_EQ(look(cache, start), "192.0.2.1");
  EXPECT_EQ(look(cache, start + 89s), "192.0.2.1");
  EXPECT_EQ(look(cache, start + 100s), "-");
  EXPECT_EQ(look(cache, start, "b.test"), "-");
}

TEST(NameCache, asks_for_a_refresh_in_the_last_tenth_and_answers_meanwhile) {
  NameCache cache;
  cache.store("a.test", list("192.0.2.1"), 100s, start);
  EXPECT_EQ(look(cache, start + 90s - 1ns), "192.0.2.1");
  EXPECT_EQ(look(cache, start + 90s), "192.0.2.1+");
  EXPECT_EQ(look(cache, start + 100s - 1ns), "192.0.2.1+");
  cache.store("a.test", list("192.0.2.2"), 100s, start + 95s);
  EXPECT_EQ(look(cache, start + 96s), "192.0.2.2");
  EXPECT_EQ(cache.size(), 1u);
}

TEST(NameCache, bounds_the_ttl_at_both_ends) {
  NameCache cache;
  cache.store("a.test", list("192.0.2.1"), 0s, start);
  EXPECT_EQ(look(cache, start + 800ms), "192.0.2.1");
  EXPECT_EQ(look(cache, start + 1s), "-");
  cache.store("a.test", list("192.0.2.1"), 24h, start);
  EXPECT_EQ(look(cache, start + 53min), "192.0.2.1");
  EXPECT_EQ(look(cache, start + 1h), "-");
  cache.store("a.test", list("192.0.2.1"), -5s, start);
  EXPECT_EQ(look(cache, start), "192.0.2.1");
}

TEST(NameCache, keeps_the_old_answer_while_look_ups_fail) {
  NameCache cache;
  cache.store("a.test", list("192.0.2.1"), 100s, start);
  const TimePoint expired = start + 100s;
  EXPECT_EQ(look(cache, expired), "-") << "nothing has failed yet: it is looked up";
  const Addresses& told = cache.fail("a.test", error(), expired);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->at(0).text(), "192.0.2.1:0");
  EXPECT_EQ(look(cache, expired), "192.0.2.1") << "no second attempt within a second";
  EXPECT_EQ(look(cache, expired + 1s), "192.0.2.1+");
  EXPECT_EQ(look(cache, expired + 5min - 1ns), "192.0.2.1+");
  EXPECT_EQ(look(cache, expired + 5min), "-");
  EXPECT_FALSE(cache.fail("a.test", error(), expired + 5min));
  EXPECT_EQ(look(cache, expired + 5min), "no answer");
}

TEST(NameCache, does_not_repeat_a_failed_refresh_at_every_hit) {
  NameCache cache;
  cache.store("a.test", list("192.0.2.1"), 100s, start);
  cache.fail("a.test", error(), start + 92s);
  EXPECT_EQ(look(cache, start + 92s), "192.0.2.1");
  EXPECT_EQ(look(cache, start + 93s), "192.0.2.1+");
  cache.store("a.test", list("192.0.2.1"), 100s, start + 93s);
  EXPECT_EQ(look(cache, start + 193s), "-") << "the failure is forgotten";
}

TEST(NameCache, tells_the_stale_answer_until_its_time_is_over) {
  NameCache cache;
  EXPECT_EQ(cache.stale("a.test", start), nullptr);
  cache.store("a.test", list("192.0.2.1"), 100s, start);
  ASSERT_NE(cache.stale("a.test", start + 100s), nullptr);
  EXPECT_EQ((*cache.stale("a.test", start + 100s))->at(0).text(), "192.0.2.1:0");
  EXPECT_EQ(cache.stale("a.test", start + 100s + 5min), nullptr);
  cache.fail("b.test", error(), start);
  EXPECT_EQ(cache.stale("b.test", start), nullptr) << "an error is no answer";
}

TEST(NameCache, a_denial_replaces_the_old_answer) {
  NameCache cache;
  cache.store("a.test", list("192.0.2.1"), 100s, start);
  cache.deny("a.test", error("no such name"), std::nullopt, start + 95s);
  EXPECT_EQ(look(cache, start + 95s), "no such name");
  EXPECT_EQ(look(cache, start + 96s), "-");
  EXPECT_FALSE(cache.fail("a.test", error(), start + 97s)) << "and does not come back";
}

TEST(NameCache, keeps_a_denial_as_long_as_the_zone_says_within_bounds) {
  NameCache cache;
  cache.deny("a.test", error(), 4s, start);
  EXPECT_EQ(look(cache, start + 4s - 1ns), "no answer");
  EXPECT_EQ(look(cache, start + 4s), "-");
  cache.deny("a.test", error(), 1h, start);
  EXPECT_EQ(look(cache, start + 10s - 1ns), "no answer");
  EXPECT_EQ(look(cache, start + 10s), "-");
  cache.deny("a.test", error(), 0s, start);
  EXPECT_EQ(look(cache, start + 1s - 1ns), "no answer");
  EXPECT_EQ(look(cache, start + 1s), "-");
}

TEST(NameCache, keeps_a_failure_for_a_second) {
  NameCache cache;
  EXPECT_FALSE(cache.fail("a.test", error(), start));
  EXPECT_EQ(look(cache, start + 1s - 1ns), "no answer");
  EXPECT_EQ(look(cache, start + 1s), "-");
}

TEST(NameCache, forgets_what_is_invalidated) {
  NameCache cache;
  cache.store("a.test", list("192.0.2.1"), 100s, start);
  cache.store("b.test", list("192.0.2.2"), 100s, start);
  cache.invalidate("a.test");
  cache.invalidate("never.test");
  EXPECT_EQ(look(cache, start), "-");
  EXPECT_EQ(cache.stale("a.test", start), nullptr);
  EXPECT_EQ(look(cache, start, "b.test"), "192.0.2.2");
  cache.clear();
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(look(cache, start, "b.test"), "-");
}

TEST(NameCache, lets_the_oldest_name_go_when_it_is_full) {
  NameCacheLimits limits;
  limits.names = 3;
  NameCache cache(limits);
  for (const char* name : {"a.test", "b.test", "c.test"}) cache.store(name, list("192.0.2.1"), 100s, start);
  cache.store("a.test", list("192.0.2.1"), 100s, start);  // the youngest now
  cache.fail("d.test", error(), start);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(look(cache, start, "b.test"), "-");
  for (const char* name : {"a.test", "c.test", "d.test"}) EXPECT_NE(look(cache, start, name), "-") << name;
}

}  // namespace name_cache_test
}  // namespace trunkline::net
