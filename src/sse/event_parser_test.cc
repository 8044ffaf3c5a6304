#include "sse/event_parser.h"

#include <gtest/gtest.h>

namespace trunkline::sse {
namespace {

using namespace std::string_literals;

std::string show(const Event& event) { return event.type + "|" + event.data + "|" + event.id; }

// All events of a stream that comes in pieces of so many bytes; the last is "error" when there was one.
std::vector<std::string> events_of(std::string_view bytes, std::size_t piece, EventParser& parser) {
  std::vector<std::string> events;
  while (!bytes.empty()) {
    std::string_view in = bytes.substr(0, piece);
    bytes.remove_prefix(in.size());
    for (;;) {
      auto event = parser.next(in);
      if (!event) {
        EXPECT_EQ(event.error().code, ErrorCode::limit_exceeded);
        events.emplace_back("error");
        return events;
      }
      if (!*event) break;
      events.push_back(show(**event));
    }
    EXPECT_TRUE(in.empty());
  }
  return events;
}

using Strings = std::vector<std::string>;

// Cut at every size from one byte to all of it, the events must be the same.
void expect_events(std::string_view bytes, const Strings& expected, const EventLimits& limits = {}) {
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EventParser parser(limits);
    EXPECT_EQ(events_of(bytes, piece, parser), expected) << "in pieces of " << piece;
  }
}

TEST(EventParser, gives_out_an_event_at_its_empty_line) {
  expect_events("data: one\n\ndata: two\n\n", {"message|one|", "message|two|"});
  expect_events("event: add\ndata: 73857293\nid: 7\n\n", {"add|73857293|7"});
}

TEST(EventParser, joins_the_lines_of_data_with_line_feeds) {
  expect_events("data: YHOO\ndata: +2\ndata: 10\n\n", {"message|YHOO\n+2\n10|"});
  expect_events("data\n\ndata\ndata\n\n", {"message||", "message|\n|"});
}

TEST(EventParser, drops_an_event_that_the_end_cuts_off) {
  expect_events("data: one\n\ndata: two\n", {"message|one|"});
  expect_events("data: one\n\ndata: two", {"message|one|"});
}

TEST(EventParser, takes_cr_lf_and_both_for_line_ends) {
  expect_events("data: a\rdata: b\r\rdata: c\r\n\r\ndata: d\n\n", {"message|a\nb|", "message|c|", "message|d|"});
  expect_events("data: a\n\r\ndata: b\r\n\ndata: c\n\r", {"message|a|", "message|b|", "message|c|"});
  expect_events("data: a\r\n\ndata: b\r\r\n", {"message|a|", "message|b|"});
}

TEST(EventParser, skips_one_byte_order_mark_at_the_start) {
  expect_events(
      "\xEF\xBB\xBF"
      "data: a\n\n",
      {"message|a|"});
  expect_events(
      "\xEF\xBB\xBF\n\xEF\xBB\xBF"
      "data: a\n\ndata: b\n\n",
      {"message|b|"});
  expect_events(
      "\xEF\xBB"
      "data: a\n\ndata: b\n\n",
      {"message|b|"});
  expect_events(
      "\n\xEF\xBB\xBF"
      "data: a\n\n",
      {});
}

TEST(EventParser, skips_comments_and_fields_it_does_not_know) {
  expect_events(": hello\ndata: a\n:\nDATA: b\ndatax: c\n data: d\nfoo\n\n", {"message|a|"});
}

TEST(EventParser, takes_one_space_behind_the_colon_away_and_no_more) {
  expect_events("data:a\n\ndata: b\n\ndata:  c \n\ndata:\td\n\ndata: :e\n\n",
                {"message|a|", "message|b|", "message| c |", "message|\td|", "message|:e|"});
}

TEST(EventParser, forgets_the_type_of_an_event_without_data) {
  expect_events("event: a\n\ndata: b\n\nevent: c\nevent: d\ndata\n\nevent\ndata: e\n\n",
                {"message|b|", "d||", "message|e|"});
}

TEST(EventParser, keeps_the_id_until_another_is_set) {
  expect_events("data: a\nid: 1\n\ndata: b\n\ndata: c\nid\n\ndata: d\n\n",
                {"message|a|1", "message|b|1", "message|c|", "message|d|"});
  EventParser parser;
  events_of("id: 5\ndata: x\n\nid: 6\n", 3, parser);
  EXPECT_EQ(parser.last_event_id(), "5");  // 6 belongs to an event that has not ended
  events_of("\n", 1, parser);
  EXPECT_EQ(parser.last_event_id(), "6");  // an id on its own counts too
}

TEST(EventParser, ignores_an_id_that_holds_a_nul) {
  expect_events("id: 1\ndata: a\n\nid: 2\0003\ndata: b\n\n"s, {"message|a|1", "message|b|1"});
}

TEST(EventParser, passes_bytes_as_they_are) {
  expect_events("data: \xFF\xC3\x28\0 x\n\n"s, {"message|\xFF\xC3\x28\0 x|"s});
}

TEST(EventParser, takes_retry_when_it_is_a_number) {
  EventParser parser;
  EXPECT_EQ(parser.retry(), std::nullopt);
  for (const std::string_view wrong : {"retry: 1a\n", "retry: -1\n", "retry:\n", "retry\n", "retry:  1\n"}) {
    events_of(wrong, 100, parser);
    EXPECT_EQ(parser.retry(), std::nullopt) << wrong;
  }
  events_of("retry: 2500\n", 100, parser);
  EXPECT_EQ(parser.retry(), std::chrono::milliseconds(2500));
  events_of("retry: 99999999999999999999999999999999\n", 100, parser);
  EXPECT_EQ(parser.retry(), std::chrono::hours(24));
}

TEST(EventParser, refuses_lines_and_events_beyond_their_bounds) {
  const EventLimits limits{.line_bytes = 10, .event_bytes = 8};
  expect_events("data: abcd\n\n", {"message|abcd|"}, limits);
  expect_events("data: ab\n\ndata: abcde\n\n", {"message|ab|", "error"}, limits);
  expect_events(":234567890\n", {}, limits);
  expect_events(":2345678901", {"error"}, limits);
  expect_events("data: abc\ndata: efgh\n\n", {"message|abc\nefgh|"}, limits);
  expect_events("data: abcd\ndata: efgh\n\n", {"error"}, limits);
  expect_events("data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n", {"message|\n\n\n\n\n\n\n\n|"}, limits);
  expect_events("data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n", {"error"}, limits);
}

TEST(EventParser, an_error_is_final) {
  EventParser parser(EventLimits{.line_bytes = 3, .event_bytes = 8});
  std::string_view in = "12345\n\ndata\n\n";
  EXPECT_FALSE(parser.next(in));
  in = "\n";
  EXPECT_FALSE(parser.next(in));
}

}  // namespace
}  // namespace trunkline::sse
