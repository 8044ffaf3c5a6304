// Server-sent events over open responses, in odd pieces, plain and coded.
#include "coding/encoders.h"
#include "support/http_test.h"

#include <trunkline/events.hpp>

namespace trunkline::test {
namespace {

class EventsTest : public HttpTest {
 protected:
  static std::string reply(std::string_view body, std::string_view fields = "Content-Type: text/event-stream\r\n") {
    return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
  }
  static Result<EventStream> open(const Client& client, const std::string& url, const EventLimits& limits = {}) {
    Result<ResponseStream> response = client.open(get(url));
    if (!response) return std::move(response).error();
    return EventStream::over(*std::move(response), limits);
  }
  static Result<std::optional<Event>> next(EventStream& events, bool with_callbacks) {
    if (!with_callbacks) return events.next();
    std::promise<Result<std::optional<Event>>> promise;
    events.start_next([&](Result<std::optional<Event>> event) { promise.set_value(std::move(event)); });
    return promise.get_future().get();
  }
  // "type|data|id" of each, up to the end or the error.
  static std::vector<std::string> all_of(EventStream& events, bool with_callbacks) {
    std::vector<std::string> all;
    for (;;) {
      const auto event = next(events, with_callbacks);
      if (!event) {
        all.emplace_back(to_string(event.error().code));
        return all;
      }
      if (!*event) return all;
      all.push_back((*event)->type + "|" + (*event)->data + "|" + (*event)->id);
    }
  }
};

constexpr std::string_view stream_text =
    "\xEF\xBB\xBF: hello\r\n\r\nretry: 1500\r\nid: 1\r\ndata: one\r\n\r\nevent: add\rdata: two\rdata: three\r\r"
    "data: four\nid: 9\n\ndata: never ends\n";
const std::vector<std::string> stream_events = {"message|one|1", "add|two\nthree|1", "message|four|9"};

TEST_F(EventsTest, gives_out_the_events_however_they_come) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string_view split : {"split=1", "split=7", "split=100000"}) {
    for (const bool with_callbacks : {false, true}) {
      Result<EventStream> events = open(client, server.raw(reply(stream_text), split));
      ASSERT_GOOD(events);
      EXPECT_EQ(all_of(*events, with_callbacks), stream_events) << split;
      EXPECT_EQ(events->last_event_id(), "9");
      EXPECT_EQ(events->retry(), milliseconds(1500));
      EXPECT_EQ(all_of(*events, with_callbacks), std::vector<std::string>());  // past the end there is still the end
    }
  }
}

TEST_F(EventsTest, reads_a_coded_stream) {
  Listener& server = serve();
  const std::string bytes = coding::gzipped(stream_text);
  Result<EventStream> events =
      open(make_client(),
           server.raw(reply(bytes, "content-type: Text/Event-Stream ; charset=utf-8\r\nContent-Encoding: gzip\r\n"),
                      "split=3"));
  ASSERT_GOOD(events);
  EXPECT_EQ(all_of(*events, false), stream_events);
}

TEST_F(EventsTest, an_event_is_there_before_the_server_sends_another_byte) {
  Listener& server = serve();
  const Client client = make_client();
  for (const bool with_callbacks : {false, true}) {
    const std::string text = reply("data: one\n\ndata: two\n\n");
    const std::size_t first = text.find("data: two");
    Result<EventStream> events = open(client, server.raw(text, "hold=" + std::to_string(first)));
    ASSERT_GOOD(events);
    const auto one = next(*events, with_callbacks);
    ASSERT_GOOD(one);
    ASSERT_TRUE(*one);
    EXPECT_EQ((**one).data, "one");
    ASSERT_TRUE(server.wait_for("held", 1));
    server.release(1);
    EXPECT_EQ(all_of(*events, with_callbacks), std::vector<std::string>{"message|two|"});
  }
}

TEST_F(EventsTest, refuses_what_is_no_event_stream_and_leaves_it_to_the_caller) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string_view fields : {"", "Content-Type: text/html\r\n", "Content-Type: text/event-streams\r\n"}) {
    Result<ResponseStream> response = client.open(get(server.raw(reply("data: x\n\n", fields))));
    ASSERT_GOOD(response);
    const Result<EventStream> events = EventStream::over(std::move(*response));
    EXPECT_FAILS(events, ErrorCode::invalid_response);
    const Result<std::string> body = response->read_all(100);
    ASSERT_GOOD(body);
    EXPECT_EQ(*body, "data: x\n\n");
  }
  Result<ResponseStream> error =
      client.open(get(server.raw("HTTP/1.1 503 No\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n")));
  ASSERT_GOOD(error);
  const Result<EventStream> events = EventStream::over(std::move(*error));
  ASSERT_FAILS(events, ErrorCode::invalid_response);
  EXPECT_NE(events.error().message.find("503"), std::string::npos);
}

TEST_F(EventsTest, an_error_comes_after_the_events_before_it_and_again) {
  Listener& server = serve();
  const Client client = make_client();
  for (const bool with_callbacks : {false, true}) {
    const std::string body = "data: one\n\ndata: " + std::string(100, 'x') + "\n\n";
    Result<EventStream> events =
        open(client, server.raw(reply(body)), EventLimits{.line_bytes = 50, .event_bytes = 50});
    ASSERT_GOOD(events);
    EXPECT_EQ(all_of(*events, with_callbacks), (std::vector<std::string>{"message|one|", "limit_exceeded"}));
    EXPECT_EQ(all_of(*events, with_callbacks), std::vector<std::string>{"limit_exceeded"});

    // The connection breaks in the middle of an event.
    Result<EventStream> cut =
        open(client, server.raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 500\r\n\r\n"
                                "data: one\n\ndata: two\n",
                                "close=1"));
    ASSERT_GOOD(cut);
    EXPECT_EQ(all_of(*cut, with_callbacks), (std::vector<std::string>{"message|one|", "truncated_body"}));
    EXPECT_EQ(all_of(*cut, with_callbacks), std::vector<std::string>{"truncated_body"});
  }
}

TEST_F(EventsTest, a_stream_dropped_in_the_middle_leaves_nothing_behind) {
  Listener& server = serve();
  const Client client = make_client();
  {
    Result<EventStream> events = open(client, server.raw(reply(stream_text), "split=5"));
    ASSERT_GOOD(events);
    ASSERT_GOOD(events->next());
    const EventStream moved = *std::move(events);
    EXPECT_EQ(moved.last_event_id(), "1");
  }
  EXPECT_TRUE(eventually([&] { return stats().pool.active == 0; }));
}

}  // namespace
}  // namespace trunkline::test
