#include "services/console/simulate.h"

#include <gtest/gtest.h>

#include "services/config/document.h"
#include "services/console/test_sources.h"

namespace trunkline::console {
namespace {

constexpr const char* small_policy = R"(
name: small
bounds: {min: 2, max: 3}
metrics:
  - {name: active_ws_connections, target: {perPod: 22}}
)";

std::vector<autoscale::DecisionPtr> recorded(TestFleet& fleet) {
  for (int i = 0; i < 40; ++i) fleet.decide(1000 + 15 * i, i < 5 ? 30 : 300);
  return fleet.decisions("chat", 0, 100);
}

const config::Node& part(const config::Node& node, std::string_view name) {
  const config::Node* found = node.find(name);
  if (found == nullptr) throw std::runtime_error("no " + std::string(name));
  return *found;
}

TEST(ConsoleSimulate, shows_the_course_that_was_and_the_one_of_the_edited_policy) {
  TestFleet fleet;
  const auto past = recorded(fleet);
  const auto answer = simulate(small_policy, past, true);
  ASSERT_TRUE(answer) << answer.error().message;
  const auto json = config::parse_json(*answer, "answer");
  ASSERT_TRUE(json) << json.error().message;
  const config::Node& was = part(*json, "recorded");
  const config::Node& would = part(*json, "simulated");
  EXPECT_EQ(part(was, "policy").text, "chat");
  EXPECT_EQ(part(would, "policy").text, "small");
  for (const char* column : {"t", "demand", "capacity", "desired"}) {
    EXPECT_EQ(part(was, column).children.size(), 40U);
    EXPECT_EQ(part(would, column).children.size(), 40U);
  }
  EXPECT_GT(std::stoi(part(part(was, "score"), "peak").text), 10);
  EXPECT_EQ(part(part(would, "score"), "peak").text, "3");
  EXPECT_EQ(part(would, "changes").children.at(0).find("to")->text, "3");
}

TEST(ConsoleSimulate, follows_itself_or_what_there_really_was) {
  TestFleet fleet;
  const auto past = recorded(fleet);
  const auto changes = [&](bool closed_loop) {
    const auto json = config::parse_json(simulate(small_policy, past, closed_loop).value(), "answer");
    return part(part(json.value(), "simulated"), "changes").children.size();
  };
  EXPECT_EQ(changes(true), 1U);   // up to its maximum, and there it stays
  EXPECT_GT(changes(false), 5U);  // down to its maximum, again and again
}

TEST(ConsoleSimulate, says_what_is_wrong_with_a_policy_and_where) {
  TestFleet fleet;
  const auto past = recorded(fleet);
  const auto answer = simulate("name: x\nbounds: {mim: 3}\n", past, true);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("policy:2:"), std::string::npos) << answer.error().message;
  EXPECT_FALSE(simulate("", past, true));
  EXPECT_FALSE(simulate(std::string(small_policy) + "---" + small_policy, past, true));
}

TEST(ConsoleSimulate, needs_a_past) {
  const auto answer = simulate(small_policy, {}, true);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("nothing is recorded yet"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::console
