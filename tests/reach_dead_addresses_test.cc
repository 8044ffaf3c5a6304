// Hosts of which some addresses are dead: packets to them vanish, and no error ever comes back. In a network namespace,
// where a cable with nobody at its other end makes such addresses, and /etc/hosts says which host has which.
#include <string>

#include "support/http_test.h"
#include "support/namespace.h"

namespace trunkline::test {
namespace {

// 10.9.0.2, 10.9.0.3 and fd00:9::2 swallow everything.
constexpr const char* dead_network =
    "ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
    "ip addr add 10.9.0.1/24 dev v0 && ip -6 addr add fd00:9::1/64 dev v0 nodad && "
    "for a in 10.9.0.2 10.9.0.3 fd00:9::2; do ip neigh add $a lladdr 02:00:00:00:00:02 dev v0 nud permanent; done && "
    "f=$(mktemp) && printf '%s\\n' 'fd00:9::2 mixed.test all-dead.test' '127.0.0.1 mixed.test twin.test' "
    "'10.9.0.2 twin.test all-dead.test' >$f && mount --bind $f /etc/hosts && rm $f";

class ReachDeadAddressesTest : public HttpTest {
 protected:
  // How long it took to connect, on a connection dialled for it.
  Duration connect_time(const Client& client, const std::string& url) {
    const Result<Response> reply = client.send(get(url).fresh_connection());
    EXPECT_STATUS(reply, 200);
    if (!reply) return Duration::max();
    EXPECT_TRUE(reply->connection.address.starts_with("127.0.0.1:")) << reply->connection.address;
    return reply->times.connect;
  }
};

constexpr milliseconds head_start(250);    // of the address that is tried first
constexpr milliseconds not_waited(200);    // a connect on loopback that takes as long has waited for another one
constexpr int hiccups = 1;                 // of a busy machine, that look like such a wait
constexpr milliseconds not_at_once(2000);  // nor until the dead one has run into a time limit

TEST_F(ReachDeadAddressesTest, a_dead_ipv6_address_costs_a_quarter_of_a_second_once) {
  if (!inside_namespace(dead_network, true)) return;
  Listener& server = serve();
  const Client client = make_client();
  const std::string url = server.url("mixed.test", "/");
  const Duration first = connect_time(client, url);
  EXPECT_GE(first, head_start - milliseconds(5)) << "IPv6 goes first";
  EXPECT_LT(first, not_at_once);
  int waited = 0;
  for (int i = 0; i < 8; ++i) waited += connect_time(client, url) >= not_waited;
  EXPECT_LE(waited, hiccups) << "it is remembered";
}

TEST_F(ReachDeadAddressesTest, a_dead_address_of_two_of_one_family_is_tried_first_once_at_most) {
  if (!inside_namespace(dead_network, true)) return;
  Listener& server = serve();
  const Client client = make_client();
  int waited = 0;
  // Successive dials begin at successive addresses, so that every other one would begin at the dead one.
  for (int i = 0; i < 10; ++i) waited += connect_time(client, server.url("twin.test", "/")) >= not_waited;
  EXPECT_LE(waited, 1 + hiccups);
}

// With a limit shorter than the head start nothing overtakes the dead address: the limit itself is the lesson.
TEST_F(ReachDeadAddressesTest, an_address_that_ran_into_the_time_limit_is_tried_last) {
  if (!inside_namespace(dead_network, true)) return;
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.timeouts.connect = milliseconds(150); }));
  int failed = 0;
  for (int i = 0; i < 10; ++i) failed += !client.send(get(server.url("twin.test", "/")).fresh_connection());
  EXPECT_LE(failed, 1 + hiccups);
}

TEST_F(ReachDeadAddressesTest, an_error_names_every_address_that_is_dead) {
  if (!inside_namespace(dead_network, true)) return;
  const Client client = make_client(test_options().derive([](Options& o) { o.timeouts.connect = milliseconds(600); }));
  const Result<Response> silent = client.get("http://all-dead.test:80/");
  ASSERT_FAILS(silent, ErrorCode::timeout_connect);
  EXPECT_EQ(silent.error().phase, Phase::connect);
  EXPECT_EQ(silent.error().maybe_processed, MaybeProcessed::no);
  EXPECT_GE(silent.error().elapsed, milliseconds(595));
  for (const char* address : {"[fd00:9::2]:80", "10.9.0.2:80"}) {
    EXPECT_NE(silent.error().message.find(address), std::string::npos) << silent.error().message;
  }
  // Of those that say no and those that say nothing, both are told.
  const Result<Response> mixed = client.get("http://twin.test:" + std::to_string(free_port()) + "/");
  ASSERT_FAILS(mixed, ErrorCode::timeout_connect);
  for (const char* part : {"no answer from 10.9.0.2:", "127.0.0.1:", "Connection refused"}) {
    EXPECT_NE(mixed.error().message.find(part), std::string::npos) << mixed.error().message;
  }
}

}  // namespace
}  // namespace trunkline::test
