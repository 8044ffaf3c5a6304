#include "net/dns_lookup.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

std::optional<DnsReply> reply(DnsOutcome outcome) {
  DnsReply made;
  made.outcome = outcome;
  return made;
}

TEST(DnsLookup, decides_by_what_is_in_whichever_family_it_is) {
  const auto none = std::optional<DnsReply>();
  const auto found = reply(DnsOutcome::found);
  const auto no_address = reply(DnsOutcome::no_address);
  const auto no_name = reply(DnsOutcome::no_name);
  const auto failed = reply(DnsOutcome::failed);
  struct Row {
    std::optional<DnsReply> one, other;
    NextStep step;
  };
  int number = 0;
  for (const Row& row : {Row{none, none, NextStep::wait},
                         {none, found, NextStep::wait_briefly},
                         {none, no_address, NextStep::wait},
                         {none, no_name, NextStep::wait},
                         {none, failed, NextStep::wait},
                         {found, found, NextStep::answer},
                         {found, no_address, NextStep::answer},
                         {found, no_name, NextStep::answer},
                         {found, failed, NextStep::answer},
                         {no_address, no_address, NextStep::try_next_name},
                         {no_address, no_name, NextStep::try_next_name},
                         {no_name, no_name, NextStep::try_next_name},
                         {failed, no_address, NextStep::fail},
                         {failed, no_name, NextStep::fail},
                         {failed, failed, NextStep::fail}}) {
    EXPECT_EQ(next_step(row.one, row.other), row.step) << number;
    EXPECT_EQ(next_step(row.other, row.one), row.step) << number;
    ++number;
  }
}

}  // namespace
}  // namespace trunkline::net
