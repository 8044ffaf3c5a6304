// The guard sees what is dialled, however its address came about.
#include <gtest/gtest.h>

#include <atomic>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class AddressGuardTest : public HttpTest {
 protected:
  static Options guarded(std::shared_ptr<const AddressGuard> guard) {
    return test_options().derive([&](Options& o) { o.address_guard = std::move(guard); });
  }
};

// Permits what it is told, and remembers what it saw.
class Watching final : public AddressGuard {
 public:
  explicit Watching(bool permits) : permits_(permits) {}
  bool permits(std::string_view ip) const override {
    ++seen;
    EXPECT_TRUE(ip == "127.0.0.1" || ip == "::1") << ip;
    return permits_;
  }
  std::string name() const override { return permits_ ? "permits all" : "permits nothing"; }
  mutable std::atomic<int> seen{0};

 private:
  const bool permits_;
};

TEST_F(AddressGuardTest, refuses_private_addresses_in_every_spelling) {
  Listener& server = serve();
  const std::string port = std::to_string(server.port());
  const Client client = make_client(guarded(refuse_private_addresses()));
  for (const std::string host : {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "a.localhost"}) {
    const Result<Response> reply = client.get("http://" + host + ":" + port + "/");
    ASSERT_FALSE(reply) << host;
    EXPECT_EQ(reply.error().code, ErrorCode::address_refused) << describe(reply);
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
  }
  const Client named = make_client(guarded(refuse_private_addresses()).derive([&](Options& o) {
    o.resolve.emplace_back("public.example:" + port, "127.0.0.1");
  }));
  EXPECT_FALSE(named.get("http://public.example:" + port + "/"));
  EXPECT_EQ(server.log().accepts, 0);
}

TEST_F(AddressGuardTest, is_asked_again_for_each_dial) {
  Listener& server = serve();
  const auto guard = std::make_shared<Watching>(true);
  const Client client = make_client(guarded(guard));
  ASSERT_STATUS(client.get(server.url()), 200);
  ASSERT_STATUS(client.get(server.url()), 200);
  const int once = guard->seen;
  EXPECT_GE(once, 1);
  transport()->invalidate();
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_GT(guard->seen, once);
}

// A connection that one client may have is not handed to another whose guard would have refused it.
TEST_F(AddressGuardTest, splits_sockets) {
  Listener& server = serve();
  ASSERT_STATUS(make_client().get(server.url()), 200);
  EXPECT_FALSE(make_client(guarded(std::make_shared<Watching>(false))).get(server.url()));
  EXPECT_EQ(server.log().requests.size(), 1U);
}

}  // namespace
}  // namespace trunkline::test
