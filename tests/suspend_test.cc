// F24: a machine that slept. This program's clock_gettime is its own, so that hours pass in a moment, for the clock
// that goes on during suspension (CLOCK_BOOTTIME) only.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/http_test.h"

namespace {
std::atomic<long> slept_seconds{0};
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && clock == CLOCK_BOOTTIME) time->tv_sec += slept_seconds;
  return result;
}

namespace trunkline::test {
namespace {

class SuspendTest : public HttpTest {};

TEST_F(SuspendTest, F24_connections_that_slept_through_the_night_are_not_used) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.get(server.url()), 200);
  ASSERT_STATUS(client.get(server.url()), 200);
  ASSERT_EQ(server.log().accepts, 1);
  slept_seconds += 8 * 3600;
  const Result<Response> morning = client.get(server.url());
  ASSERT_STATUS(morning, 200);
  EXPECT_FALSE(morning->connection.reused);
  EXPECT_EQ(morning->retries, 0);
  EXPECT_TRUE(morning->connection.reuse_miss == ReuseMiss::idle_expired ||
              morning->connection.reuse_miss == ReuseMiss::max_age)
      << to_string(morning->connection.reuse_miss);
  EXPECT_EQ(server.log().accepts, 2);
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 2);
}

}  // namespace
}  // namespace trunkline::test
