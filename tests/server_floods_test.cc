// Floods of HTTP/2 frames against the whole server, each by a client that says just what a known attack says. The same
// three things are asked of all of them: the connection ends with the right code, others are served meanwhile and
// afterwards, and the memory that it costs is bounded.
#include <thread>

#include "support/flood.h"
#include "support/h2_test.h"
#include "support/serving.h"

namespace trunkline::test {
namespace {

using server::ConnectionEnd;
using server::Exchange;
using server::Request;
using server::Settings;

enum FrameKind : std::uint8_t {
  data_kind,
  headers_kind,
  priority_kind,
  rst_kind,
  settings_kind,
  ping_kind = 6,
  goaway_kind,
  window_kind,
  continuation_kind,
  unknown_kind = 0xEE
};
constexpr std::uint8_t ends_stream = 1;
constexpr std::uint8_t ends_headers = 4;
constexpr std::uint32_t protocol_error = 1;
constexpr std::uint32_t stream_closed = 5;
constexpr std::uint32_t enhance_your_calm = 11;
constexpr std::uint32_t no_goaway = 0xFFFF;
// Of HPACK's static table: GET or POST, http, "/"; and the authority "x".
const std::string get_fields = "\x82\x86\x84\x41\x01x";
// POST of "/held".
const std::string held_post_fields = "\x83\x86\x04\x05/held\x41\x01x";
const std::string post_fields = "\x83\x86\x84\x41\x01x";

std::string number_32(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string flood_frame(std::uint8_t kind, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  std::string made = number_32(static_cast<std::uint32_t>(payload.size())).substr(1);
  made += static_cast<char>(kind);
  made += static_cast<char>(flags);
  return made.append(number_32(stream)).append(payload);
}

// The code of the last GOAWAY among these bytes.
std::uint32_t goaway_code(std::string_view bytes) {
  std::uint32_t code = no_goaway;
  const auto byte = [&bytes](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]));
  };
  while (bytes.size() >= 9) {
    const std::size_t size = (byte(0) << 16) | (byte(1) << 8) | byte(2);
    if (bytes.size() < 9 + size) break;
    if (byte(3) == goaway_kind && size >= 8) code = (byte(13) << 24) | (byte(14) << 16) | (byte(15) << 8) | byte(16);
    bytes.remove_prefix(9 + size);
  }
  return code;
}

class ServerFloodsTest : public ServingTest {
 protected:
  void SetUp() override {
    serve(
        [this](Request request, Exchange exchange) {
          ++handled_;
          if (request.path == "/held") {
            exchange.on_cancelled([] {});
            held_.push_back(std::make_shared<Exchange>(std::move(exchange)));
            return;
          }
          exchange.respond({200, "text/plain", "served"});
        },
        one_loop());
  }
  void TearDown() override {
    held_.clear();
    ServingTest::TearDown();
  }
  static Settings one_loop() {
    Settings settings = quick();
    settings.loops = 1;  // so that the others are served by the loop that is flooded
    return settings;
  }

  std::string run(const Flood& flood) {
    Raw client(port());
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").send(flood_frame(settings_kind, 0, 0));
    return pour(client, flood);
  }

  // The flood ends with the code, and costs nobody else anything.
  void expect_ended(const Flood& flood, const std::vector<std::uint32_t>& codes, std::uint64_t most_handled) {
    served_by_others();  // what a first request costs is not the flood's
    const std::uint64_t handled_before = handled_;
    const std::size_t before = resident_bytes();
    std::atomic<bool> over{false};
    std::atomic<int> others{0};
    std::thread bystander([&] {
      while (!over) {
        served_by_others();
        ++others;
      }
    });
    const std::string heard = run(flood);
    over = true;
    bystander.join();
    const std::uint32_t code = goaway_code(heard);
    EXPECT_TRUE(std::find(codes.begin(), codes.end(), code) != codes.end()) << "GOAWAY " << code;
    EXPECT_TRUE(ended_for(ConnectionEnd::protocol_error, 1));
    EXPECT_LE(handled_ - handled_before - static_cast<std::uint64_t>(others), most_handled);
    EXPECT_TRUE(sanitized() || resident_bytes() < before + std::size_t{24} * 1024 * 1024) << resident_bytes() - before;
    served_by_others();
  }

  void served_by_others() {
    Raw other(port());
    EXPECT_EQ(body_of(other.ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), "served");
  }

  std::atomic<std::uint64_t> handled_{0};
  std::vector<std::shared_ptr<Exchange>> held_;
};

std::uint32_t nth_stream(std::uint32_t number) { return 2 * number + 1; }

// A request that nobody answers, with a piece of body: progress, which pays for the frames of the flood. So it is the
// limit of resets that ends it, and nothing else.
std::string begun_request(std::uint32_t number, const std::string& fields = held_post_fields) {
  return flood_frame(headers_kind, ends_headers, nth_stream(number), fields) +
         flood_frame(data_kind, 0, nth_stream(number), std::string(300, 'x'));
}

// CVE-2023-44487
TEST_F(ServerFloodsTest, rapid_reset_ends_with_enhance_your_calm_long_before_a_thousand_requests_were_handled) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return begun_request(number) + flood_frame(rst_kind, 0, nth_stream(number), number_32(8));
                    }},
               {enhance_your_calm}, 500);
}

// CVE-2025-8671: the server is made to reset the streams itself. This way it is not: the connection ends at once.
TEST_F(ServerFloodsTest, made_you_reset_by_a_window_of_nothing_more_ends_with_its_first_frame) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return begun_request(number) + flood_frame(window_kind, 0, nth_stream(number), number_32(0));
                    }},
               {protocol_error}, 1);
}

TEST_F(ServerFloodsTest, made_you_reset_by_a_window_that_overflows_is_the_same_flood) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return begun_request(number) +
                             flood_frame(window_kind, 0, nth_stream(number), number_32(0x7FFFFFFF));
                    }},
               {enhance_your_calm}, 500);
}

TEST_F(ServerFloodsTest, made_you_reset_by_more_body_than_announced_is_the_same_flood) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return begun_request(number, held_post_fields + std::string("\x0F\x0D\x03") + "300") +
                             flood_frame(data_kind, 0, nth_stream(number), "more");
                    }},
               {enhance_your_calm}, 500);
}

// Where the server has answered the stream already, or took its end for the end, the frame breaks the connection at
// once: which of the two comes first is for the scheduler to say.
TEST_F(ServerFloodsTest, made_you_reset_by_a_body_behind_the_end_ends_at_once_or_as_the_same_flood) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return flood_frame(headers_kind, ends_headers | ends_stream, nth_stream(number), get_fields) +
                             flood_frame(data_kind, 0, nth_stream(number), "more");
                    }},
               {enhance_your_calm, stream_closed}, 500);
}

TEST_F(ServerFloodsTest, made_you_reset_by_a_request_that_breaks_the_rules_is_the_same_flood) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return flood_frame(headers_kind, ends_headers | ends_stream, nth_stream(number),
                                         "\x82\x86\x84\x82");
                    }},
               {enhance_your_calm}, 10);
}

// CVE-2024-27316 and its like: fields that never end.
TEST_F(ServerFloodsTest, continuations_without_end_are_not_kept) {
  const std::string filling =
      "\x40\x01"
      "a\x7F\x80\x20" +
      std::string(4'223, 'x');
  expect_ended({.piece =
                    [&](std::uint32_t number) {
                      return number == 0 ? flood_frame(headers_kind, ends_stream, 1, get_fields)
                                         : flood_frame(continuation_kind, 0, 1, filling);
                    }},
               {enhance_your_calm}, 0);
}

TEST_F(ServerFloodsTest, continuations_that_hold_nothing_are_counted) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return number == 0 ? flood_frame(headers_kind, ends_stream, 1, get_fields)
                                         : flood_frame(continuation_kind, 0, 1);
                    }},
               {enhance_your_calm}, 0);
}

TEST_F(ServerFloodsTest, pings_are_answered_for_a_while) {
  expect_ended({.piece = [](std::uint32_t) { return flood_frame(ping_kind, 0, 0, "12345678"); }}, {enhance_your_calm},
               0);
}

TEST_F(ServerFloodsTest, pings_whose_answers_nobody_reads_are_not_kept) {
  expect_ended({.piece = [](std::uint32_t) { return flood_frame(ping_kind, 0, 0, "12345678"); }, .reads = false},
               {enhance_your_calm}, 0);
}

TEST_F(ServerFloodsTest, settings_that_change_nothing_are_answered_for_a_while) {
  expect_ended({.piece = [](std::uint32_t) { return flood_frame(settings_kind, 0, 0); }}, {enhance_your_calm}, 0);
}

TEST_F(ServerFloodsTest, bodies_in_frames_that_hold_nothing_are_counted) {
  expect_ended({.piece =
                    [](std::uint32_t number) {
                      return number == 0 ? flood_frame(headers_kind, ends_headers, 1, post_fields)
                                         : flood_frame(data_kind, 0, 1);
                    }},
               {enhance_your_calm}, 1);
}

TEST_F(ServerFloodsTest, frames_that_nobody_asked_for_are_counted) {
  for (const FrameKind kind : {unknown_kind, priority_kind, window_kind}) {
    const std::string payload = kind == unknown_kind ? "" : kind == window_kind ? number_32(1) : number_32(0) + "\x10";
    expect_ended({.piece = [&](std::uint32_t) { return flood_frame(kind, 0, kind == priority_kind ? 3 : 0, payload); }},
                 {enhance_your_calm}, 0);
    TearDown();
    SetUp();
  }
}

// Not a flood of frames but of what waits: more at once than is announced is refused, and costs no handler.
TEST_F(ServerFloodsTest, requests_beyond_those_announced_are_refused_without_a_handler) {
  const std::string held = "\x82\x86\x04\x05/held\x41\x01x";
  expect_ended({.piece =
                    [&](std::uint32_t number) {
                      return flood_frame(headers_kind, ends_headers | ends_stream, nth_stream(number), held);
                    }},
               {enhance_your_calm}, quick().limits.streams_per_connection);
}

}  // namespace
}  // namespace trunkline::test
