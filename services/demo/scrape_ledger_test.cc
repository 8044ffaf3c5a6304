#include "services/demo/scrape_ledger.h"

#include <gtest/gtest.h>

#include <vector>

namespace trunkline::demo {
namespace {

using scrape::Outcome;
using std::chrono::seconds;

struct Answer {
  std::string url;
  enum Kind : unsigned char { reused, dialled, silent } kind = reused;
};

class Collector {
 public:
  explicit Collector(int number = 0) : number_(number) {}
  void cycle(ScrapeLedger& ledger, const std::vector<Answer>& answers) {
    scrape::Snapshot snapshot;
    snapshot.cut_off = TimePoint(seconds(1000 + 2 * ++cycles_));
    snapshot.interval = seconds(2);
    for (const Answer& answer : answers) {
      auto target = std::make_shared<scrape::Target>();
      target->url = answer.url;
      scrape::TargetReport report;
      report.outcome = answer.kind == Answer::silent ? Outcome::timed_out : Outcome::ok;
      report.connected = answer.kind != Answer::silent;
      report.reused = answer.kind == Answer::reused;
      report.dial_reason = DialReason::busy;
      snapshot.targets.push_back({.target = target, .report = report});
    }
    ledger.add(number_, snapshot);
  }

 private:
  int number_;
  int cycles_ = 0;
};

TEST(DemoScrapeLedger, forgives_dials_of_the_first_two_cycles_only) {
  ScrapeLedger ledger;
  Collector collector;
  for (int i = 0; i < 3; ++i) collector.cycle(ledger, {{"a", Answer::dialled}});
  EXPECT_EQ(ledger.figures().dials_first_cycles, 2U);
  EXPECT_EQ(ledger.figures().dials_steady, 1U);
  EXPECT_EQ(ledger.figures().steady_by_reason[static_cast<std::size_t>(DialReason::busy)], 1U);
  EXPECT_EQ(ledger.figures().dials(), 3U);
}

TEST(DemoScrapeLedger, a_new_backend_has_two_cycles_of_its_own) {
  ScrapeLedger ledger;
  Collector collector;
  for (int i = 0; i < 5; ++i) collector.cycle(ledger, {{"a"}});
  for (int i = 0; i < 3; ++i) collector.cycle(ledger, {{"a"}, {"b", Answer::dialled}});
  EXPECT_EQ(ledger.figures().dials_new_backends, 2U);
  EXPECT_EQ(ledger.figures().dials_steady, 1U);
  EXPECT_EQ(ledger.figures().reused, 8U);
}

TEST(DemoScrapeLedger, who_was_gone_and_has_come_back_is_new) {
  ScrapeLedger ledger;
  Collector collector;
  for (int i = 0; i < 3; ++i) collector.cycle(ledger, {{"a"}});
  collector.cycle(ledger, {});
  collector.cycle(ledger, {{"a", Answer::dialled}});
  EXPECT_EQ(ledger.figures().dials_new_backends, 1U);
  EXPECT_EQ(ledger.figures().dials_steady, 0U);
}

TEST(DemoScrapeLedger, a_gap_explains_dials_for_a_while_also_of_other_collectors) {
  ScrapeLedger ledger;
  Collector first(1);
  Collector second(2);
  for (int i = 0; i < 3; ++i) {
    first.cycle(ledger, {{"a"}});
    second.cycle(ledger, {{"a"}});
  }
  first.cycle(ledger, {{"a", Answer::silent}});
  second.cycle(ledger, {{"a", Answer::dialled}});
  first.cycle(ledger, {{"a", Answer::dialled}});
  EXPECT_EQ(ledger.figures().dials_after_gaps, 2U);
  EXPECT_EQ(ledger.figures().failed, 1U);
  for (int i = 0; i < 5; ++i) first.cycle(ledger, {{"a"}});
  first.cycle(ledger, {{"a", Answer::dialled}});
  EXPECT_EQ(ledger.figures().dials_steady, 1U);
}

// The fleet's own collector hung, and its connection went with it: no report here says so.
TEST(DemoScrapeLedger, a_gap_made_on_purpose_explains_dials_of_those_who_did_not_meet_it) {
  ScrapeLedger ledger;
  Collector collector;
  for (int i = 0; i < 3; ++i) collector.cycle(ledger, {{"a"}, {"b"}});
  ledger.expect_gap("a", TimePoint(seconds(1010)));
  collector.cycle(ledger, {{"a", Answer::dialled}, {"b", Answer::dialled}});  // at 1008
  EXPECT_EQ(ledger.figures().dials_after_gaps, 1U);
  EXPECT_EQ(ledger.figures().dials_steady, 1U) << "it was not b that fell silent";
  for (int i = 0; i < 4; ++i) collector.cycle(ledger, {{"a"}});
  collector.cycle(ledger, {{"a", Answer::dialled}});  // at 1018
  EXPECT_EQ(ledger.figures().dials_steady, 2U);
}

}  // namespace
}  // namespace trunkline::demo
