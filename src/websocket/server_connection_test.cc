// The same connection in the server's role: it demands a mask and sets none.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "websocket/connection.h"
#include "websocket/transcript.h"

namespace trunkline::websocket {
namespace server_connection_test {

using std::chrono::seconds;
using Event = Connection::Event;

const TimePoint start{seconds(1000)};

std::string masked(Opcode opcode, std::string_view payload) {
  std::string out;
  append_masked_frame(out, {.opcode = opcode}, payload, 0x12345678);
  return out;
}

struct Server {
  Connection connection{Role::server, {}, {}, start};

  Event hears(const std::string& bytes) {
    std::string_view input = bytes;
    return connection.next(input, start);
  }
  std::string said() {
    const std::string bytes(connection.output());
    connection.sent(bytes.size(), start);
    return transcript({bytes}, {.role = Role::client});  // which refuses a mask
  }
};

TEST(WebSocketServerConnection, reads_masked_messages_and_answers_without_a_mask) {
  Server server;
  EXPECT_EQ(server.hears(masked(Opcode::text, "Hello")), Event::message);
  EXPECT_EQ(server.connection.take_message(), "Hello");
  server.connection.send(Opcode::binary, "bytes", start);
  EXPECT_EQ(server.connection.output(), raw({0x82, "bytes"}));
  EXPECT_EQ(server.said(), "binary bytes; idle");
}

TEST(WebSocketServerConnection, ends_a_client_that_does_not_mask) {
  Server server;
  EXPECT_EQ(server.hears(raw({0x81, "Hello"})), Event::failed);
  EXPECT_EQ(server.connection.failure().close_code, protocol_error);
  EXPECT_TRUE(server.said().starts_with("close 1002"));
}

TEST(WebSocketServerConnection, answers_pings_without_a_mask) {
  Server server;
  EXPECT_EQ(server.hears(masked(Opcode::ping, "one")), Event::need_more);
  EXPECT_EQ(server.connection.output(), raw({0x8A, "one"}));
}

TEST(WebSocketServerConnection, asks_a_silent_client_whether_it_lives) {
  Server server;
  EXPECT_EQ(server.connection.on_time(server.connection.deadline()), Connection::Due::nothing);
  EXPECT_EQ(server.connection.output(), raw({0x89, ""}));
  EXPECT_EQ(server.connection.on_time(server.connection.deadline()), Connection::Due::peer_silent);
}

TEST(WebSocketServerConnection, says_1001_when_it_drains_and_is_over_when_the_client_has_answered) {
  Server server;
  server.connection.close(1001, "draining", start);
  EXPECT_TRUE(server.said().starts_with("close 1001 draining"));
  EXPECT_FALSE(server.connection.over());
  EXPECT_EQ(server.hears(masked(Opcode::close, std::string("\x03\xE9", 2))), Event::closed);
  EXPECT_EQ(server.connection.close_code(), 1001);
  EXPECT_TRUE(server.connection.over());
}

}  // namespace server_connection_test
}  // namespace trunkline::websocket
