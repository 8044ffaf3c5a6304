#include "services/run/gate.h"

#include <gtest/gtest.h>

#include "services/run/configuration.h"

namespace trunkline::run {
namespace {

Headers with(const std::string& authorization) { return Headers{{"Authorization", authorization}}; }

TEST(Gate, is_open_while_nothing_is_asked_for) {
  Gate gate;
  EXPECT_TRUE(gate.opens({}));
  gate.set(AdminSettings());
  EXPECT_TRUE(gate.opens({}));
  EXPECT_TRUE(gate.opens(with("Bearer anything")));
}

TEST(Gate, opens_to_the_password_and_to_the_token_and_to_nothing_else) {
  AdminSettings admin;
  admin.user = "ann";
  admin.login = KeptSecret::login("ann", "s3cret:with colon");
  admin.bearer_token = KeptSecret("t0ken");
  Gate gate;
  gate.set(admin);
  const std::string right = "YW5uOnMzY3JldDp3aXRoIGNvbG9u";  // base64 of ann:s3cret:with colon
  for (const std::string& good :
       {"Basic " + right, "basic  " + right, std::string("Bearer t0ken"), std::string("BEARER t0ken")}) {
    EXPECT_TRUE(gate.opens(with(good))) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("Basic"), std::string("Basic "), "Basic " + right + "x", right, "Bearer " + right,
        std::string("Basic t0ken"), std::string("Bearer t0ke"), std::string("Bearer t0ken x"),
        std::string("Bearert0ken"), std::string("Basic YW5uOg==")}) {
    EXPECT_FALSE(gate.opens(with(bad))) << bad;
  }
  EXPECT_FALSE(gate.opens({}));
}

TEST(Gate, asks_for_what_the_settings_say_now) {
  AdminSettings admin;
  admin.bearer_token = KeptSecret("one");
  Gate gate;
  gate.set(admin);
  admin.bearer_token = KeptSecret("two");
  gate.set(admin);
  EXPECT_FALSE(gate.opens(with("Bearer one")));
  EXPECT_TRUE(gate.opens(with("Bearer two")));
  gate.set(AdminSettings());
  EXPECT_TRUE(gate.opens({}));
}

TEST(Gate, knows_which_addresses_are_of_this_machine) {
  for (const char* address : {"127.0.0.1:9600", "127.0.0.7:0", "[::1]:9600", "unix:/run/t"}) {
    EXPECT_TRUE(is_of_this_machine(address)) << address;
  }
  for (const char* address : {"0.0.0.0:9600", "[::]:9600", "10.0.0.127:1", "[::ffff:127.0.0.1]:1", "localhost:1"}) {
    EXPECT_FALSE(is_of_this_machine(address)) << address;
  }
}

TEST(Gate, calls_exposed_what_others_can_reach_while_nobody_is_asked_or_minds) {
  AdminSettings admin;
  EXPECT_FALSE(is_exposed(admin));
  admin.listen = "0.0.0.0:9600";
  EXPECT_TRUE(is_exposed(admin));
  admin.unprotected = true;
  EXPECT_FALSE(is_exposed(admin));
  admin.unprotected = false;
  admin.login = KeptSecret::login("ann", "s");
  EXPECT_FALSE(is_exposed(admin));
}

}  // namespace
}  // namespace trunkline::run
