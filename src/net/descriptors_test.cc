#include "net/descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "net/peers.h"

namespace trunkline::net {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

// Runs `body` in a forked child and returns what it returned.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Descriptors, are_closed_in_a_forked_child_and_stay_open_in_the_parent) {
  auto [stream, peer] = peers::tcp_pair();
  const int fd = stream->fd();
  EXPECT_EQ(in_child([fd] { return is_open(fd) ? 1 : 0; }), 0);
  const std::string_view parts[] = {"still here"};
  EXPECT_EQ(stream->write(parts).accepted, 10u);
  EXPECT_EQ(peer.receive(), "still here");
}

TEST(Descriptors, closed_by_the_parent_reach_the_peer_although_a_child_lives_on) {
  auto [stream, peer] = peers::tcp_pair();
  int gate[2];
  ASSERT_EQ(::pipe2(gate, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte;
    ::close(gate[1]);
    ::_exit(static_cast<int>(::read(gate[0], &byte, 1)));  // until the parent closes its end
  }
  stream.reset();
  EXPECT_EQ(peer.receive(), "");
  ::close(gate[1]);
  ::close(gate[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Descriptors, that_were_forgotten_are_left_alone) {
  const peers::Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  note_descriptor(socket.fd());
  forget_descriptor(socket.fd());
  EXPECT_EQ(in_child([&] { return is_open(socket.fd()) ? 0 : 1; }), 0);
}

TEST(Descriptors, of_a_stream_are_not_closed_twice_in_the_child) {
  auto [stream, peer] = peers::tcp_pair();
  const int number = stream->fd();
  EXPECT_EQ(in_child([&] {
              const int own = ::dup2(2, number);  // the child's own file gets the number that was freed
              stream.reset();
              return is_open(own) ? 0 : 1;
            }),
            0);
}

TEST(Descriptors, count_forks) {
  const std::uint64_t before = fork_generation();
  EXPECT_EQ(in_child([before] { return fork_generation() == before + 1 ? 0 : 1; }), 0);
  EXPECT_EQ(fork_generation(), before);
}

TEST(Descriptors, outside_of_what_is_watched_are_ignored) {
  for (const int fd : {-1, 1 << 20, 0x7fffffff}) {
    note_descriptor(fd);
    forget_descriptor(fd);
  }
  EXPECT_EQ(in_child([] { return 0; }), 0);
}

}  // namespace
}  // namespace trunkline::net
