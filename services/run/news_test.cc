#include "services/run/news.h"

#include <gtest/gtest.h>

namespace trunkline::run {
namespace {

using std::chrono::seconds;

class MadeUpFleets : public autoscale::FleetView {
 public:
  void decide(int current, int desired, std::string reason, bool dry_run = false) {
    auto entry = std::make_shared<autoscale::DecisionEntry>();
    entry->number = entries_.size() + 1;
    entry->decision.current = current;
    entry->decision.desired = desired;
    entry->decision.reason = std::move(reason);
    entry->decision.dry_run = dry_run;
    entries_.push_back(std::move(entry));
  }
  std::vector<autoscale::FleetStatus> fleets() const override {
    autoscale::FleetStatus fleet;
    fleet.name = "web";
    fleet.target_kind = kind;
    if (!entries_.empty()) fleet.last = entries_.back();
    return {fleet};
  }
  std::vector<autoscale::DecisionPtr> decisions(std::string_view, std::uint64_t after, std::size_t) const override {
    return {entries_.begin() + static_cast<std::ptrdiff_t>(after), entries_.end()};
  }
  std::optional<autoscale::Policy> policy(std::string_view) const override { return std::nullopt; }

  std::string kind = "process";

 private:
  std::vector<autoscale::DecisionPtr> entries_;
};

std::string text_of(const std::vector<NewsItem>& items) {
  std::string out;
  for (const NewsItem& item : items) {
    out += item.event + " " + item.about.first + "=" + item.about.second + " " + item.sentence + "; ";
  }
  return out;
}

TEST(News, tells_each_change_of_a_fleet_once_and_nothing_of_those_that_hold) {
  News news;
  MadeUpFleets fleets;
  EXPECT_EQ(text_of(news.look({}, fleets, TimePoint{})), "");
  fleets.decide(2, 2, "within tolerance");
  fleets.decide(2, 4, "demand");
  EXPECT_EQ(text_of(news.look({}, fleets, TimePoint{})), "scaled fleet=web 2 -> 4: demand; ");
  EXPECT_EQ(text_of(news.look({}, fleets, TimePoint{})), "");
  fleets.kind = "webhook";
  fleets.decide(4, 5, "demand");
  EXPECT_EQ(text_of(news.look({}, fleets, TimePoint{})), "ordered fleet=web 4 -> 5: demand; ");
  fleets.decide(4, 3, "less", true);
  EXPECT_EQ(text_of(news.look({}, fleets, TimePoint{})), "would_scale fleet=web 4 -> 3: less; ");
}

TEST(News, tells_of_a_trouble_when_it_comes_and_when_it_is_over) {
  News news;
  const MadeUpFleets fleets;
  const auto told = [&](const std::string& trouble, TimePoint now = TimePoint{}) {
    return text_of(news.look({{"scrape", true, trouble}}, fleets, now));
  };
  EXPECT_EQ(told(""), "");
  EXPECT_EQ(told("no list"), "trouble service=scrape no list; ");
  EXPECT_EQ(told("no list"), "");
  EXPECT_EQ(told(""), "trouble_over service=scrape all is as configured again; ");
  EXPECT_EQ(told("no list"), "trouble service=scrape no list; ");
}

TEST(News, does_not_fill_the_log_with_a_trouble_that_has_other_words_each_time) {
  News news(seconds(30));
  const MadeUpFleets fleets;
  int lines = 0;
  for (int second = 0; second < 60; ++second) {
    const TimePoint now{seconds(1000 + second)};
    lines += static_cast<int>(news.look({{"scrape", true, "number " + std::to_string(second)}}, fleets, now).size());
  }
  EXPECT_EQ(lines, 2);
  // Though it is the last of them that is over.
  EXPECT_EQ(news.look({{"scrape", true, ""}}, fleets, TimePoint{seconds(1061)}).size(), 1U);
}

}  // namespace
}  // namespace trunkline::run
