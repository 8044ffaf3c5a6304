#include "services/demo/page.h"

#include <gtest/gtest.h>
#include <trunkline/client.hpp>

namespace trunkline::demo {
namespace {

std::string refusal_of(const std::string& listen, bool with_login = false, bool unprotected = false) {
  run::AdminSettings admin;
  admin.listen = listen;
  admin.unprotected = unprotected;
  if (with_login) admin.bearer_token = run::KeptSecret("t0ken");
  const Result<void> good = check_page(admin);
  return good ? "" : good.error().message;
}

TEST(DemoPage, is_for_this_machine_unless_it_asks_for_a_password_or_nobody_minds) {
  for (const char* own : {"", "127.0.0.1:9600", "[::1]:0", "unix:/run/demo"}) EXPECT_EQ(refusal_of(own), "") << own;
  for (const char* reachable : {"0.0.0.0:9600", "[::]:0", "192.0.2.1:80"}) {
    const std::string refused = refusal_of(reachable);
    EXPECT_NE(refused.find(std::string(reachable) + ": other machines could read all that is shown"),
              std::string::npos);
    EXPECT_NE(refused.find("--login FILE"), std::string::npos) << refused;
    EXPECT_EQ(refusal_of(reachable, true), "");
    EXPECT_EQ(refusal_of(reachable, false, true), "");
  }
  EXPECT_NE(refusal_of("0.0.0.0"), "") << "which is no address";
}

TEST(DemoPage, opens_to_the_token_only) {
  run::AdminSettings admin;
  admin.listen = "127.0.0.1:0";
  admin.bearer_token = run::KeptSecret("t0ken");
  const auto page = Page::start(admin,
                                {.transport = [] { return Stats(); },
                                 .connections = [](const ConnectionQuery&) { return ConnectionList(); },
                                 .targets = [] { return std::vector<scrape::SnapshotPtr>(); }},
                                [](metrics::ExpositionWriter&) {});
  ASSERT_TRUE(page) << page.error().message;
  const Client client;
  const std::string url = "http://" + (*page)->address();
  for (const char* path : {"/", "/metrics", "/api/v1/status"}) {
    EXPECT_EQ(client.send(get(url + path)).value().status, 401) << path;
    EXPECT_EQ(client.send(get(url + path).header("Authorization", "Bearer t0ken")).value().status, 200) << path;
  }
  EXPECT_EQ(client.send(get(url + "/healthz")).value().status, 200);
  (*page)->stop(std::chrono::seconds(1));
}

}  // namespace
}  // namespace trunkline::demo
