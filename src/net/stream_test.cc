#include "net/stream.h"

#include <gtest/gtest.h>

#include "net/peers.h"

namespace trunkline::net {
namespace {

ReadResult read_when_ready(Stream& stream) {
  peers::wait_for(stream.fd(), POLLIN);
  return stream.read(Scratch::of_this_thread());
}

TEST(TcpStream, reads_what_came_and_says_that_there_is_no_more) {
  auto [stream, peer] = peers::tcp_pair();
  EXPECT_EQ(stream->read(Scratch::of_this_thread()).io, Io::again);
  peer.send("hello");
  const ReadResult got = read_when_ready(*stream);
  EXPECT_EQ(got.io, Io::ok);
  EXPECT_EQ(got.bytes, "hello");
  EXPECT_TRUE(got.drained);
  EXPECT_FALSE(stream->has_buffered_input());
  peer.close();
  EXPECT_EQ(read_when_ready(*stream).io, Io::closed);
}

TEST(TcpStream, says_when_a_full_buffer_may_not_have_been_all) {
  auto [stream, peer] = peers::tcp_pair();
  const std::string bytes(Scratch::size + 100, 'x');
  std::thread sender([&other = peer, &bytes] { other.send(bytes); });
  std::size_t total = 0;
  while (total < bytes.size()) {
    const ReadResult got = read_when_ready(*stream);
    ASSERT_EQ(got.io, Io::ok);
    EXPECT_EQ(got.drained, got.bytes.size() < Scratch::size);
    total += got.bytes.size();
  }
  sender.join();
}

TEST(TcpStream, reports_a_reset) {
  auto [stream, peer] = peers::tcp_pair();
  peer.reset();
  const ReadResult got = read_when_ready(*stream);
  EXPECT_EQ(got.io, Io::failed);
  EXPECT_EQ(got.error, std::errc::connection_reset);
}

TEST(TcpStream, writes_parts_in_order_and_counts_them) {
  auto [stream, peer] = peers::tcp_pair();
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) texts.push_back(std::to_string(i) + ",");  // more than one system call takes
  texts.insert(texts.begin() + 3, "");
  std::vector<std::string_view> parts(texts.begin(), texts.end());
  std::string all;
  for (const std::string& text : texts) all += text;
  const WriteResult written = stream->write(parts);
  EXPECT_EQ(written.io, Io::ok);
  EXPECT_EQ(written.accepted, all.size());
  EXPECT_EQ(stream->bytes_sent(), all.size());
  std::string got;
  while (got.size() < all.size()) got += peer.receive();
  EXPECT_EQ(got, all);
}

TEST(TcpStream, takes_as_much_as_the_socket_does_and_goes_on_when_it_is_writable) {
  auto [stream, peer] = peers::tcp_pair(4096);
  const std::string bytes = [] {
    std::string text;
    while (text.size() < 512u << 10) text += std::to_string(text.size()) + " ";
    return text;
  }();
  std::promise<std::string> received;
  std::thread reader([&, &from = peer] {
    std::string got;
    while (got.size() < bytes.size()) got += from.receive();
    received.set_value(std::move(got));
  });
  std::size_t sent = 0;
  int full = 0;
  while (sent < bytes.size()) {
    const std::string_view rest = std::string_view(bytes).substr(sent);
    const std::string_view parts[] = {rest.substr(0, rest.size() / 2), rest.substr(rest.size() / 2)};
    const WriteResult written = stream->write(parts);
    ASSERT_NE(written.io, Io::failed);
    EXPECT_EQ(written.io == Io::ok, written.accepted > 0);
    sent += written.accepted;
    if (sent == bytes.size()) break;
    ++full;
    ASSERT_TRUE(peers::wait_for(stream->fd(), POLLOUT));
  }
  EXPECT_GT(full, 0);
  EXPECT_FALSE(stream->has_pending_output());
  EXPECT_TRUE(received.get_future().get() == bytes);
  reader.join();
}

TEST(TcpStream, fails_without_a_signal_when_the_peer_is_gone) {
  auto [stream, peer] = peers::tcp_pair();
  peer.reset();
  const std::string_view parts[] = {"a", "b"};
  read_when_ready(*stream);  // the reset has arrived
  const WriteResult written = stream->write(parts);
  EXPECT_EQ(written.io, Io::failed);
  EXPECT_TRUE(written.error);
  const std::string_view one[] = {"a"};
  EXPECT_EQ(stream->write(one).io, Io::failed);
}

}  // namespace
}  // namespace trunkline::net
