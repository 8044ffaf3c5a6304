#include <gtest/gtest.h>

#include "services/autoscale_replay/report_html.h"
#include "services/autoscale_replay/report_text.h"

namespace trunkline::autoscale {
namespace {

using std::chrono::seconds;

Course course(std::string name, int moments) {
  Course out{.policy = std::move(name)};
  for (int i = 0; i < moments; ++i) {
    const int now = i < moments / 2 ? 2 : 4;
    const bool changes = i == moments / 2;
    out.moments.push_back({.at = TimePoint(seconds(1'764'000'000 + 15 * i)),
                           .demand = now + 0.5,
                           .capacity = static_cast<double>(now),
                           .current = changes ? 2 : now,
                           .desired = now,
                           .action = changes ? Action::up : Action::hold,
                           .reason = changes ? "more" : "steady"});
  }
  return out;
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(TextReport, shows_the_moments_in_which_something_happens) {
  const std::string text = table(course("chat", 100), false);
  EXPECT_NE(text.find("     0:12:30     4.50         4        2        4  up      more"), std::string::npos) << text;
  EXPECT_LT(count(text, "\n"), 8u) << text;
  EXPECT_EQ(count(table(course("chat", 100), true), "\n"), 102u);
  EXPECT_NE(table({.policy = "none"}, false).find("nothing was seen"), std::string::npos);
}

TEST(TextReport, marks_the_least_of_each_column_where_policies_differ) {
  Course better = course("better", 10);
  for (Moment& moment : better.moments) moment.demand = 1;
  const std::string text = comparison({course("worse", 10), better});
  EXPECT_NE(text.find("150 s "), std::string::npos) << text;
  EXPECT_NE(text.find("0 s*"), std::string::npos) << text;
  EXPECT_EQ(count(text, "*"), 2u) << "equal columns have no best\n" << text;
}

TEST(TextReport, never_lets_a_name_write_to_the_terminal) {
  Course evil = course("x\x1b[2J", 4);
  evil.moments[2].reason = "a\nb\x1b";
  for (const std::string& text : {table(evil, true), comparison({evil}), plot(evil, 80)}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
  }
}

TEST(TextReport, plots_within_the_width_and_keeps_a_short_spike) {
  Course spiky = course("chat", 1000);
  spiky.moments[333].demand = 50;
  const std::string text = plot(spiky, 60);
  EXPECT_NE(text.find("\u2022"), std::string::npos);
  const std::string top_line =
      text.substr(text.find('\n') + 1, text.find('\n', text.find('\n') + 1) - text.find('\n') - 1);
  EXPECT_NE(top_line.find("\u2022"), std::string::npos) << text;
  EXPECT_EQ(plot({}, 60), "");
}

TEST(HtmlReport, asks_no_host_for_anything_and_lets_nothing_out_of_its_data) {
  Course evil = course("</script><script>alert(1)//@TITLE@", 20);
  const std::string page = html_report("<b>&\"@DATA@", {evil});
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(count(page, "</script>"), 1u);
  EXPECT_NE(page.find("\\u003c/script>\\u003cscript>alert(1)//@TITLE@"), std::string::npos);
  EXPECT_EQ(count(page, "&lt;b&gt;&amp;&quot;@DATA@"), 2u);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  for (const std::string_view word : {"src=", "@import", "url(", "fetch(", "<link", "https:"}) {
    EXPECT_EQ(page.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(count(page, "http:"), 1u) << "the name of SVG, which nobody asks for";
}

TEST(HtmlReport, thins_a_long_course_and_keeps_its_changes_and_worst_moments) {
  Course long_one = course("chat", 50'000);
  long_one.moments[12'345].demand = 777;
  const std::string page = html_report("t", {long_one});
  EXPECT_LT(page.size(), 1u << 20);
  EXPECT_NE(page.find("\"demand\":777"), std::string::npos);
  EXPECT_NE(page.find("\"reason\":\"more\""), std::string::npos);
}

}  // namespace
}  // namespace trunkline::autoscale
