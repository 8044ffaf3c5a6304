#include "server/request_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace trunkline::server {
namespace {

TEST(RequestId, passes_a_sane_one_on) { EXPECT_EQ(request_id({{"X-Request-Id", "a-B_9.:+/=@"}}), "a-B_9.:+/=@"); }

TEST(RequestId, makes_a_new_one_for_none_and_for_what_is_not_sane) {
  std::set<std::string> seen;
  for (const Headers& headers :
       {Headers{}, Headers{{"X-Request-Id", ""}}, Headers{{"X-Request-Id", "a b"}}, Headers{{"X-Request-Id", "a\"b"}},
        Headers{{"X-Request-Id", std::string(129, 'x')}}, Headers{{"X-Request-Id", "a"}, {"x-request-id", "b"}}}) {
    const std::string id = request_id(headers);
    EXPECT_EQ(id.size(), 15u);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(RequestId, is_another_one_each_time_and_on_each_thread) {
  std::vector<std::string> all;
  const auto make = [&] {
    for (int i = 0; i < 10'000; ++i) all.push_back(request_id({}));
  };
  make();
  std::thread(make).join();
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
  EXPECT_NE(all.front().substr(0, 9), all.back().substr(0, 9)) << "each thread draws its own beginning";
}

constexpr const char* valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, passes_a_valid_one_on) {
  EXPECT_EQ(traceparent({{"traceparent", valid}}), valid);
  const std::string later = "cc" + std::string(valid).substr(2) + "-more";
  EXPECT_EQ(traceparent({{"traceparent", later}}), later);
}

TEST(Traceparent, ignores_what_the_specification_calls_invalid) {
  const std::string text = valid;
  for (const std::string& bad : std::vector<std::string>{
           std::string(), text.substr(1), text + "x", text + "-x", "ff" + text.substr(2), "0G" + text.substr(2),
           "00-" + std::string(32, '0') + text.substr(35), text.substr(0, 36) + std::string(16, '0') + "-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}) {
    EXPECT_EQ(traceparent({{"traceparent", bad}}), "") << bad;
  }
  EXPECT_EQ(traceparent({{"traceparent", valid}, {"traceparent", valid}}), "");
}

}  // namespace
}  // namespace trunkline::server
