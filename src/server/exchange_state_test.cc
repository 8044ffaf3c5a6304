#include "server/exchange_state.h"

#include <gtest/gtest.h>

#include <future>

namespace trunkline::server {
namespace {

using Sent = BodyWriter::Sent;

// Takes nothing by itself.
class QuietCarrier final : public Carrier {
 public:
  void respond(Response&&) override {}
  void start(int, Headers&&, std::optional<std::uint64_t>) override {}
  void accept_websocket(const std::shared_ptr<WebSocketState>&) override {}
  void response_ready() override {}
  void body_taken() override {}
  void report(const std::string& what) override { reported.set_value(what); }
  void handler_failed(const std::string& what) override { failed.set_value(what); }

  std::promise<std::string> reported;
  std::promise<std::string> failed;
};

// The test's own thread is any thread; what a carrier does is done on the loop's.
class ExchangeStateTest : public ::testing::Test {
 protected:
  template <class Action>
  void on_loop(Action action) {
    std::promise<void> done;
    loop_.post([&] {
      action();
      done.set_value();
    });
    done.get_future().get();
  }
  bool told_of_room() {
    std::promise<void> told;
    writer_.on_room([&] { told.set_value(); });
    // What it posts comes before this.
    on_loop([] {});
    const bool was_told = told.get_future().wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    writer_.on_room({});
    return was_told;
  }

  QuietCarrier carrier_;
  net::Loop loop_;
  std::shared_ptr<ExchangeState> state_ = std::make_shared<ExchangeState>(loop_, carrier_, 10);
  BodyWriter writer_{state_};
};

TEST_F(ExchangeStateTest, room_that_came_between_full_and_on_room_is_told_at_once) {
  ASSERT_EQ(writer_.write("0123456789"), Sent::taken);
  ASSERT_EQ(writer_.write("x"), Sent::full);
  EXPECT_FALSE(told_of_room());
  on_loop([&] { EXPECT_EQ(state_->take_response().bytes, "0123456789"); });
  EXPECT_TRUE(told_of_room());
  EXPECT_FALSE(told_of_room());
}

TEST_F(ExchangeStateTest, who_asks_for_room_when_the_peer_has_left_is_told_at_once) {
  on_loop([&] { state_->leave(true); });
  EXPECT_TRUE(told_of_room());
  EXPECT_EQ(writer_.write("x"), Sent::gone);
}

TEST_F(ExchangeStateTest, a_writer_that_waits_when_the_response_is_over_is_told) {
  std::promise<void> told;
  writer_.on_room([&] { told.set_value(); });
  on_loop([&] { state_->leave(false); });
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

TEST_F(ExchangeStateTest, a_response_without_a_body_takes_nothing_and_says_so) {
  std::promise<void> told;
  writer_.on_room([&] { told.set_value(); });
  on_loop([&] { state_->end_response(); });
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(writer_.write("x"), Sent::gone);
  on_loop([&] { EXPECT_EQ(state_->take_response().bytes, ""); });
}

TEST_F(ExchangeStateTest, what_a_callback_throws_is_the_carriers_to_answer) {
  writer_.on_room([] { throw std::runtime_error("no room for it"); });
  on_loop([&] {
    EXPECT_EQ(state_->take_response().bytes, "");
    state_->end_response();
  });
  EXPECT_EQ(carrier_.failed.get_future().get(), "a handler's callback threw: no room for it");
}

TEST_F(ExchangeStateTest, what_a_callback_throws_that_is_told_of_the_end_is_reported) {
  state_->on_cancelled([] { throw std::runtime_error("too late"); });
  on_loop([&] { state_->leave(true); });
  EXPECT_EQ(carrier_.reported.get_future().get(), "a handler's callback threw: too late");
}

}  // namespace
}  // namespace trunkline::server
