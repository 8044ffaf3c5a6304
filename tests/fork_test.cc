// F29: a forked child never touches its parent's sockets. The server's log shows whose connection carried what.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "support/http_test.h"

#if defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif

namespace {
bool in_a_child = false;
}

// What threads of the parent hold is no leak of the child's.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return in_a_child ? 1 : 0; }

namespace trunkline::test {
namespace {

class ForkTest : public HttpTest {
 protected:
#if defined(__SANITIZE_THREAD__)
  void SetUp() override {
    GTEST_SKIP() << "ThreadSanitizer ends a child one of whose threads gets the id of a thread of its parent";
  }
#endif
  // Runs `child` in a child, which ends with its result: 0 is good. No assertions in there.
  template <class Child>
  static int in_child(Child child) {
    const pid_t pid = fork();
    if (pid == 0) {
      in_a_child = true;
      alarm(60);
      _exit(child());
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  static int status_of(const Result<Response>& reply) {
    if (!reply) fprintf(stderr, "in the child: %s\n", describe(reply).c_str());
    return reply ? reply->status : 0;
  }
  // The child's dials are in the server's log, and not in our counters; those still add up.
  void TearDown() override { EXPECT_EQ(Transport::shared_stats().broken_law(), ""); }
};

TEST_F(ForkTest, F29_policies_go_on_in_a_child) {
  Listener& server = serve();
  const Client client(with_retries(with_breaker(with_redirects(Transport::shared(test_options())))));
  ASSERT_STATUS(client.get(server.url("/parent")), 200);
  Result<ResponseStream> open = client.open(get(server.url("/open")));
  ASSERT_TRUE(open) << describe(open);
  EXPECT_EQ(in_child([&] {
              open = Error(ErrorCode::cancelled, Phase::body, "dropped by the child");
              return status_of(client.get(server.url("/child"))) == 200 ? 0 : 1;
            }),
            0);
  EXPECT_TRUE(open->read_all(1 << 20));
  EXPECT_STATUS(client.get(server.url("/parent")), 200);
}

TEST_F(ForkTest, F29_a_child_dials_for_itself_and_the_parents_connection_survives) {
  for (const bool tls : {false, true}) {
    Serve how;
    if (tls) how.certificate = &server_certificate();
    Listener& server = serve(how);
    const Client client(Transport::shared(tls_options()));
    ASSERT_STATUS(client.get(server.url("/parent/1")), 200);
    EXPECT_EQ(in_child([&] { return status_of(client.get(server.url("/child"))) == 200 ? 0 : 1; }), 0);
    // A leftover of the child's on the parent's socket (a close_notify, half a record) would show now.
    for (int i = 0; i < 5; ++i) ASSERT_STATUS(client.get(server.url("/parent/2")), 200);
    const ServerLog log = server.log();
    EXPECT_EQ(log.accepts, 2);
    for (const LoggedRequest& request : log.requests) {
      EXPECT_EQ(request.connection, request.target == "/child" ? 2 : 1) << request.target;
    }
  }
}

TEST_F(ForkTest, F29_a_child_that_exits_with_all_destructors_leaves_the_parent_alone) {
  Listener& server = serve({.certificate = &server_certificate()});
  const auto client = std::make_unique<Client>(Transport::create(tls_options()));
  ASSERT_STATUS(client->get(server.url("/parent/1")), 200);
  EXPECT_EQ(in_child([&]() -> int {
              const_cast<std::unique_ptr<Client>&>(client).reset();
              const Client own(tls_options());
              const bool good = status_of(own.get(server.url("/child"))) == 200;
              exit(good ? 0 : 1);
            }),
            0);
  ASSERT_STATUS(client->get(server.url("/parent/2")), 200);
  EXPECT_EQ(server.log().accepts, 2);
}

TEST_F(ForkTest, F29_a_child_that_uses_nothing_costs_nothing) {
  Listener& server = serve();
  const Client client(test_options());
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(in_child([] { return 0; }), 0);
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(ForkTest, F29_forks_in_the_middle_of_everything_disturb_nobody) {
  if (sanitized()) GTEST_SKIP() << "the sanitizers' allocators may be locked at the fork, for ever in the child";
  Listener& server = serve();
  const Client client(test_options());
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      while (!stop) EXPECT_STATUS(client.get(server.url("/parent")), 200);
    });
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(in_child([&] {
                for (int j = 0; j < 3; ++j) {
                  if (status_of(client.get(server.url("/child"))) != 200) return 1;
                }
                return 0;
              }),
              0);
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  // No connection carried requests of two processes.
  std::map<int, std::string> owners;
  for (const LoggedRequest& request : server.log().requests) {
    const auto [owner, first] = owners.emplace(request.connection, request.target);
    EXPECT_EQ(owner->second, request.target) << "connection " << request.connection;
  }
}

TEST_F(ForkTest, F29_a_child_can_call_asynchronously) {
  Listener& server = serve();
  const Client client(test_options());
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(in_child([&] {
              std::promise<int> status;
              client.start(get(server.url()),
                           [&](const Result<Response>& reply) { status.set_value(status_of(reply)); });
              return status.get_future().get() == 200 ? 0 : 1;
            }),
            0);
}

TEST_F(ForkTest, F29_a_stream_that_was_open_at_the_fork_belongs_to_the_parent) {
  Listener& server = serve();
  const Client client(test_options());
  Result<ResponseStream> stream = client.open(get(server.scenario("big", "size=3000000")));
  ASSERT_GOOD(stream);
  EXPECT_EQ(in_child([&] {
              // The number of the parent's socket is now that of another.
              Result<ResponseStream> own = client.open(get(server.url("/child")));
              std::array<char, 100> bytes{};
              if (!own || stream->read(bytes)) return 2;
              {
                const ResponseStream dropped = std::move(*stream);
              }
              return status_of(client.get(server.url("/child"))) == 200 ? 0 : 1;
            }),
            0);
  const Result<std::string> all = stream->read_all(3000000);
  ASSERT_GOOD(all);
  EXPECT_EQ(*all, pattern(3000000));
}

}  // namespace
}  // namespace trunkline::test
