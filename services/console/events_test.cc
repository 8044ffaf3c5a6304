#include "services/console/events.h"

#include <gtest/gtest.h>

#include <memory>

namespace trunkline::console {
namespace {

// What one watcher has got, and whether it keeps up.
struct Watcher {
  std::string got;
  bool keeps_up = true;
  bool there = false;
};

class WatcherSink final : public Sink {
 public:
  explicit WatcherSink(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) { watcher_->there = true; }
  ~WatcherSink() override { watcher_->there = false; }
  bool write(std::string_view bytes) override {
    if (watcher_->keeps_up) watcher_->got += bytes;
    return watcher_->keeps_up;
  }

 private:
  std::shared_ptr<Watcher> watcher_;
};

class ConsoleEvents : public ::testing::Test {
 protected:
  std::shared_ptr<Watcher> watch(std::string_view last_id = "") {
    auto watcher = std::make_shared<Watcher>();
    added_ = events.add(std::make_unique<WatcherSink>(watcher), last_id);
    return watcher;
  }

  Events events{"p", {.watchers = 2, .kept_bytes = 200}};
  bool added_ = false;
};

TEST_F(ConsoleEvents, greets_and_then_tells_with_ids) {
  const auto watcher = watch();
  events.publish("decision", R"({"x":1})");
  EXPECT_EQ(watcher->got,
            "retry: 2000\n\nid: p-0\nevent: hello\ndata: {\"resumed\":false,\"watchers\":1}\n\n"
            "id: p-1\nevent: decision\ndata: {\"x\":1}\n\n");
}

TEST_F(ConsoleEvents, gives_what_was_missed_to_whoever_comes_back) {
  events.publish("a", "1");
  events.publish("a", "2");
  events.publish("a", "3");
  EXPECT_EQ(watch("p-1")->got,
            "retry: 2000\n\nid: p-1\nevent: hello\ndata: {\"resumed\":true,\"watchers\":1}\n\n"
            "id: p-2\nevent: a\ndata: 2\n\nid: p-3\nevent: a\ndata: 3\n\n");
  EXPECT_EQ(watch("p-3")->got, "retry: 2000\n\nid: p-3\nevent: hello\ndata: {\"resumed\":true,\"watchers\":2}\n\n");
}

TEST_F(ConsoleEvents, says_when_it_cannot_go_on_from_there) {
  for (int i = 0; i < 50; ++i) events.publish("a", "number");  // more than are kept
  for (const char* id : {"p-1", "q-49", "p-51", "p-", "p", "p-4x", "garbage", "p-99999999999999999999999"}) {
    const auto watcher = watch(id);
    EXPECT_EQ(watcher->got, "retry: 2000\n\nid: p-50\nevent: hello\ndata: {\"resumed\":false,\"watchers\":1}\n\n")
        << id;
    watcher->keeps_up = false;
    events.beat();
  }
}

TEST_F(ConsoleEvents, drops_who_is_slow_and_goes_on_with_the_others) {
  const auto slow = watch();
  const auto quick = watch();
  slow->keeps_up = false;
  events.publish("a", "1");
  EXPECT_FALSE(slow->there);
  EXPECT_TRUE(quick->there);
  EXPECT_NE(quick->got.find("data: 1"), std::string::npos);
  EXPECT_EQ(events.watchers(), 1U);
  EXPECT_EQ(events.dropped(), 1U);
}

TEST_F(ConsoleEvents, has_room_for_so_many_and_no_more) {
  const auto one = watch();
  EXPECT_TRUE(events.room());
  const auto two = watch();
  EXPECT_FALSE(events.room());
  const auto three = watch();
  EXPECT_FALSE(added_);
  EXPECT_FALSE(three->there);
}

TEST_F(ConsoleEvents, ends_all_when_it_closes) {
  const auto one = watch();
  events.close();
  EXPECT_FALSE(one->there);
  const auto two = watch();
  EXPECT_FALSE(added_);
  events.publish("a", "1");
  EXPECT_EQ(two->got, "");
}

TEST_F(ConsoleEvents, cannot_go_on_behind_what_nobody_was_told) {
  const auto watcher = watch();
  events.publish("a", "1");
  EXPECT_TRUE(events.wanted());
  events.disconnect();
  EXPECT_EQ(watch("p-1")->got, "retry: 2000\n\nid: p-1\nevent: hello\ndata: {\"resumed\":true,\"watchers\":1}\n\n");
  events.disconnect();
  EXPECT_FALSE(events.wanted());
  EXPECT_EQ(watch("p-1")->got, "retry: 2000\n\nid: p-2\nevent: hello\ndata: {\"resumed\":false,\"watchers\":1}\n\n");
}

TEST_F(ConsoleEvents, beats_so_that_scripts_hear_it_and_ids_stay_what_they_are) {
  const auto watcher = watch();
  watcher->got.clear();
  events.beat();
  EXPECT_EQ(watcher->got, "event: beat\ndata: {}\n\n");
}

}  // namespace
}  // namespace trunkline::console
