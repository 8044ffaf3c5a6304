// The kernel's own tables, with sockets of ours in them.
#include "services/doctor/look_reader.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace trunkline::doctor {
namespace {

using std::chrono::milliseconds;

// A listener on loopback and connections to it.
class Loopback {
 public:
  Loopback() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    place_.sin_family = AF_INET;
    place_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&place_), sizeof place_);
    listen(listener_, 10);
    socklen_t size = sizeof place_;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&place_), &size);
  }
  ~Loopback() {
    for (const int fd : open_) close(fd);
    close(listener_);
  }
  void connect() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&place_), sizeof place_), 0);
    open_.push_back(fd);
    open_.push_back(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
  }
  void close_last() {
    close(open_[open_.size() - 2]);  // the client first, so that the TIME_WAIT is here
    close(open_.back());
    open_.resize(open_.size() - 2);
  }
  Endpoint place() const { return {Address::v4({127, 0, 0, 1}), ntohs(place_.sin_port)}; }

 private:
  int listener_ = -1;
  sockaddr_in place_{};
  std::vector<int> open_;
};

std::int64_t count(const Look& look, const Endpoint& destination, SocketState state) {
  return std::count_if(look.sockets.begin(), look.sockets.end(),
                       [&](const Socket& socket) { return socket.remote == destination && socket.state == state; });
}

class DoctorReader : public testing::TestWithParam<bool> {};

TEST_P(DoctorReader, sees_our_sockets_with_their_owner_and_what_happens_between) {
  Loopback loopback;
  loopback.connect();
  LookSettings settings;
  settings.proc_only = GetParam();
  settings.interval = std::chrono::seconds(5);  // ended by stop
  Result<LookReader> reader = LookReader::open(settings);
  ASSERT_TRUE(reader) << reader.error().message;
  int turns = 0;
  const Result<Observation> seen = reader->observe([&] {
    // Open for a glance, then closed.
    if (++turns == 1) loopback.connect();
    if (turns == 3) loopback.close_last();
    return turns == 4;
  });
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(reader->reads_netlink(), !GetParam());
  const Endpoint place = loopback.place();
  EXPECT_EQ(count(seen->before, place, SocketState::established), 1);
  EXPECT_EQ(count(seen->after, place, SocketState::established), 1);
  EXPECT_EQ(count(seen->after, place, SocketState::time_wait), 1);
  const auto sighted = std::find_if(seen->sightings.begin(), seen->sightings.end(),
                                    [&](const Socket& socket) { return socket.remote == place; });
  ASSERT_NE(sighted, seen->sightings.end());
  EXPECT_EQ(seen->owners.at(sighted->inode), getpid());
  EXPECT_EQ(seen->processes.at(getpid()).pid, getpid());
  EXPECT_GE(seen->after.counters.value().dials, seen->before.counters.value().dials + 1);
  EXPECT_TRUE(seen->ports.known);
  for (const Socket& socket : seen->after.sockets) {
    if (socket.remote != place || socket.state != SocketState::time_wait) continue;
    EXPECT_GT(socket.time_left, milliseconds(50'000));
  }
}

INSTANTIATE_TEST_SUITE_P(Sources, DoctorReader, testing::Bool(),
                         [](const auto& source) { return source.param ? "proc" : "netlink"; });

TEST(DoctorReading, keeps_no_more_sockets_than_it_may_and_says_so) {
  Loopback loopback;
  for (int i = 0; i < 5; ++i) loopback.connect();
  LookSettings settings;
  settings.interval = milliseconds(0);
  settings.most_sockets = 3;
  Result<LookReader> reader = LookReader::open(settings);
  ASSERT_TRUE(reader);
  const Result<Observation> seen = reader->observe([] { return true; });
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->after.sockets.size(), 3U);
  EXPECT_TRUE(std::any_of(seen->unseen.begin(), seen->unseen.end(), [](const std::string& sentence) {
    return sentence.find("more than 3 sockets") != std::string::npos;
  }));
}

TEST(DoctorReading, a_process_that_is_not_there_is_an_error) {
  LookSettings settings;
  settings.pid = 0x7FFFFFFF;
  const Result<LookReader> reader = LookReader::open(settings);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().message, "there is no process 2147483647");
}

}  // namespace
}  // namespace trunkline::doctor
