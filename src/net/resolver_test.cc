#include "net/resolver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <set>

#include "net/peers.h"

namespace trunkline::net {
namespace {

using Answer = Result<std::vector<Address>>;

Answer resolve_and_wait(Loop& loop, const std::string& host, std::uint16_t port = 80) {
  std::promise<Answer> promise;
  auto future = promise.get_future();
  resolve(loop, host, port, [&](Answer answer) {
    EXPECT_TRUE(loop.on_this_thread());
    promise.set_value(std::move(answer));
  });
  EXPECT_TRUE(peers::arrived(future));
  return future.get();
}

TEST(Address, is_read_from_a_literal_and_written_back) {
  struct Row {
    const char* ip;
    const char* text;  // null: not a literal
  };
  for (const Row& row : {Row{"192.0.2.1", "192.0.2.1:443"},
                         {"2001:db8::1", "[2001:db8::1]:443"},
                         {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:443"},
                         {"fe80::1%lo", "[fe80::1%lo]:443"},
                         {"fe80::1%1", "[fe80::1%lo]:443"},
                         {"fe80::1%", nullptr},
                         {"fe80::1%no-such-zone", nullptr},
                         {"192.0.2.1%lo", nullptr},
                         {"127.1", nullptr},  // other libraries read these as addresses
                         {"0x7f.0.0.1", nullptr},
                         {"2130706433", nullptr},
                         {"192.0.2.256", nullptr},
                         {"[::1]", nullptr},
                         {"localhost", nullptr},
                         {"", nullptr}}) {
    Address address;
    EXPECT_EQ(Address::parse(row.ip, 443, address), row.text != nullptr) << row.ip;
    if (row.text) {
      EXPECT_EQ(address.text(), row.text);
    }
  }
  Address address;
  EXPECT_FALSE(Address::parse(std::string_view("127.0.0.1\0x", 11), 1, address));
}

TEST(Resolver, answers_a_literal_without_a_lookup_and_never_from_inside_the_call) {
  Loop loop;
  const std::uint64_t before = lookup_count();
  std::promise<std::string> promise;
  auto future = promise.get_future();
  peers::on(loop, [&] {
    auto inside = std::make_shared<bool>(true);
    resolve(loop, "127.0.0.1", 80, [&promise, inside](Answer answer) {
      EXPECT_FALSE(*inside);
      promise.set_value(answer->at(0).text());
    });
    *inside = false;
  });
  ASSERT_TRUE(peers::arrived(future));
  EXPECT_EQ(future.get(), "127.0.0.1:80");
  EXPECT_EQ(lookup_count(), before);
}

TEST(Resolver, finds_localhost_with_the_port_asked_for) {
  Loop loop;
  for (const std::uint16_t port : {80, 8080}) {  // the second from the cache
    const Answer answer = resolve_and_wait(loop, "localhost", port);
    ASSERT_TRUE(answer) << answer.error().message;
    std::set<std::string> texts;
    for (const Address& address : *answer) texts.insert(address.text());
    EXPECT_TRUE(texts.contains("127.0.0.1:" + std::to_string(port)));
    EXPECT_EQ(texts.size(), answer->size()) << "an address twice";
    // IPv6 first, if there is any.
    EXPECT_TRUE(texts.size() == 1 || answer->front().storage.ss_family == AF_INET6);
  }
}

TEST(Resolver, looks_a_name_up_once_however_many_ask) {
  Loop loop;
  const std::uint64_t before = lookup_count();
  constexpr int askers = 50;
  std::atomic<int> answered{0};
  std::promise<void> all;
  auto future = all.get_future();
  for (int i = 0; i < askers; ++i) {
    resolve(loop, "single-flight.invalid", 80, [&](Answer answer) {
      EXPECT_FALSE(answer);
      if (++answered == askers) all.set_value();
    });
  }
  ASSERT_TRUE(peers::arrived(future));
  // Failures are kept for a second; a machine that is slower than that may look twice.
  EXPECT_LE(lookup_count() - before, 2u);
}

TEST(Resolver, says_which_name_failed_and_why) {
  Loop loop;
  const Answer answer = resolve_and_wait(loop, "does-not-exist.invalid");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::resolve_failed);
  EXPECT_EQ(answer.error().phase, Phase::resolve);
  EXPECT_TRUE(answer.error().message.starts_with("cannot resolve \"does-not-exist.invalid\": "));
}

TEST(Resolver, refuses_what_cannot_be_a_name_without_a_lookup) {
  Loop loop;
  const std::uint64_t before = lookup_count();
  for (const std::string& host : {std::string(), std::string(256, 'a'), std::string("a\0b", 3)}) {
    const Answer answer = resolve_and_wait(loop, host);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::resolve_failed);
  }
  EXPECT_EQ(lookup_count(), before);
}

TEST(Resolver, drops_answers_for_a_loop_that_is_gone) {
  for (int i = 0; i < 3; ++i) {
    Loop loop;
    resolve(loop, "gone-" + std::to_string(i) + ".invalid", 80, [](Answer) {});
  }
}

TEST(Workers, are_at_most_four) {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::thread::id> threads;
  int running = 0;
  int most = 0;
  int done = 0;
  constexpr int works = 40;
  for (int i = 0; i < works; ++i) {
    run_on_worker([&] {
      std::unique_lock lock(mutex);
      threads.insert(std::this_thread::get_id());
      most = std::max(most, ++running);
      changed.notify_all();
      // The first four wait for each other, which shows that there are four.
      changed.wait_for(lock, std::chrono::seconds(20), [&] { return most == 4; });
      --running;
      ++done;
      changed.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done == works; });
  EXPECT_EQ(most, 4);
  EXPECT_EQ(threads.size(), 4u);
}

}  // namespace
}  // namespace trunkline::net
