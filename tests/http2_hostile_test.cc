// HTTP/2 against hostile servers: one named test for each scenario of faultd/http2.py. What breaks the connection ends
// it with the right code; what breaks one response costs no other; what is merely odd is borne. Then the next request
// works, and memory stays small.
#include "support/h2_test.h"

namespace trunkline::test {
namespace {

constexpr std::int64_t protocol_error = 1;
constexpr std::int64_t flow_control_error = 3;
constexpr std::int64_t stream_closed = 5;
constexpr std::int64_t frame_size_error = 6;
constexpr std::int64_t compression_error = 9;
constexpr std::int64_t calm = 11;

constexpr long most_memory_kb = 48 * 1024;

struct Attack {
  std::string name;
  std::vector<std::int64_t> codes;  // of our GOAWAY: any of these
  std::string arguments = {};
  bool answered = false;  // the request itself was answered before the attack
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

std::string name_of(const ::testing::TestParamInfo<Attack>& info) { return info.param.name; }

// No server of these is waited for longer than this: one that is not found out at once fails its test.
Options hostile_options() {
  return h2c_options().derive([](Options& o) { o.timeouts.total = seconds(5); });
}

class HostileTest : public HttpTest, public ::testing::WithParamInterface<Attack> {
 protected:
  void TearDown() override {
    HttpTest::TearDown();
    if (!sanitized()) {
      EXPECT_LT(memory_.peak_growth_kb(), most_memory_kb);
    }
  }
  Listener& serve_hostile() { return serve({.scenario = "h2"}); }
  // The first connection that carried the attack.
  static LoggedConnection victim(const Listener& server) { return server.log().connections.at(0); }

 private:
  MemoryWatch memory_;
};

// --- what ends the connection

class EndsTheConnection : public HostileTest {};

TEST_P(EndsTheConnection, with_its_code_and_the_next_request_works) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  const Attack& attack = GetParam();
  const Result<Response> reply = client.get(server.attack(attack.name, attack.arguments));
  ASSERT_TRUE(server.wait_for("goaways", 1)) << "the server must be told; " << describe(reply);
  const LoggedConnection connection = victim(server);
  EXPECT_NE(std::find(attack.codes.begin(), attack.codes.end(), connection.goaway), attack.codes.end())
      << "GOAWAY " << connection.goaway << " " << connection.goaway_debug;
  if (!attack.answered) {
    ASSERT_FALSE(reply) << reply->body;
    ASSERT_EQ(reply.error().kind, ErrorKind::broken_peer) << describe(reply);
    EXPECT_NE(reply.error().maybe_processed, MaybeProcessed::no);
  }
  ASSERT_TRUE(server.wait_for_exactly("open", 0)) << "the connection must end";
  const Result<Response> next = client.get(server.url("/next"));
  ASSERT_STATUS(next, 200);
  EXPECT_EQ(next->body, "/next");
  EXPECT_EQ(server.log().accepts, 2);
  EXPECT_TRUE(eventually([&] {
    const auto& closed = stats().pool.closed_by_reason;
    return count_of(closed, CloseReason::protocol_error) + count_of(closed, CloseReason::goaway) == 1;
  }));
}

INSTANTIATE_TEST_SUITE_P(
    Settings, EndsTheConnection,
    ::testing::Values(Attack{"settings_frame_size_0", {protocol_error}},
                      Attack{"settings_frame_size_too_small", {protocol_error}},
                      Attack{"settings_frame_size_too_large", {protocol_error}},
                      Attack{"settings_push_1", {protocol_error}}, Attack{"settings_push_2", {protocol_error}},
                      Attack{"settings_window_too_large", {flow_control_error}},
                      Attack{"settings_length_5", {frame_size_error}}, Attack{"settings_on_a_stream", {protocol_error}},
                      Attack{"settings_ack_with_payload", {frame_size_error}}, Attack{"settings_huge", {calm}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Frames, EndsTheConnection,
    ::testing::Values(
        Attack{"data_on_stream_0", {protocol_error}}, Attack{"data_on_an_idle_stream", {protocol_error}},
        Attack{"data_on_an_even_stream", {protocol_error}}, Attack{"data_before_headers", {protocol_error}},
        Attack{"headers_on_stream_0", {protocol_error}}, Attack{"headers_on_an_idle_stream", {protocol_error}},
        Attack{"headers_on_an_even_stream", {protocol_error}}, Attack{"rst_on_stream_0", {protocol_error}},
        Attack{"rst_on_an_idle_stream", {protocol_error}}, Attack{"rst_length_3", {frame_size_error}},
        Attack{"goaway_on_a_stream", {protocol_error}}, Attack{"goaway_length_7", {frame_size_error}},
        Attack{"ping_on_a_stream", {protocol_error}}, Attack{"ping_length_7", {frame_size_error}},
        Attack{"frame_too_large", {frame_size_error}}, Attack{"push_promise", {protocol_error}},
        Attack{"padding_of_data_too_long", {protocol_error}},
        Attack{"padding_of_headers_too_long", {protocol_error, frame_size_error}},
        Attack{"continuation_alone", {protocol_error}}, Attack{"continuation_of_another_stream", {protocol_error}},
        Attack{"headers_interrupted_by_a_ping", {protocol_error}},
        Attack{"goaway_with_increasing_last", {protocol_error}}, Attack{"error_and_then_more", {protocol_error}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(FlowControl, EndsTheConnection,
                         ::testing::Values(Attack{"window_update_0", {protocol_error}},
                                           Attack{"window_update_0_of_the_stream", {protocol_error}},
                                           Attack{"window_update_overflow", {flow_control_error}},
                                           Attack{"window_update_length_3", {frame_size_error}},
                                           Attack{"window_update_on_an_idle_stream", {protocol_error}}),
                         name_of);

INSTANTIATE_TEST_SUITE_P(Hpack, EndsTheConnection,
                         ::testing::Values(Attack{"hpack_index_0", {compression_error}},
                                           Attack{"hpack_index_beyond_the_table", {compression_error}},
                                           Attack{"hpack_integer_overflow", {compression_error}},
                                           Attack{"hpack_literal_that_ends_early", {compression_error}},
                                           Attack{"hpack_table_size_too_large", {compression_error}},
                                           Attack{"hpack_table_size_after_a_field", {compression_error}},
                                           Attack{"hpack_huffman_eos", {compression_error}},
                                           Attack{"hpack_huffman_padding_of_zeros", {compression_error}},
                                           Attack{"continuation_flood", {calm}},
                                           Attack{"continuation_flood_of_single_bytes", {calm}},
                                           Attack{"continuation_flood_of_empty_ones", {calm}}),
                         name_of);

INSTANTIATE_TEST_SUITE_P(Floods, EndsTheConnection,
                         ::testing::Values(Attack{"ping_flood", {calm}},                          //
                                           Attack{"ping_ack_flood", {calm}},                      //
                                           Attack{"settings_flood", {calm}},                      //
                                           Attack{"settings_ack_flood", {calm, protocol_error}},  //
                                           Attack{"settings_of_the_table_flap", {calm}},          //
                                           Attack{"settings_of_the_window_flap", {calm}},         //
                                           Attack{"rst_flood", {calm}, "", true},                 //
                                           Attack{"priority_flood", {calm}},                      //
                                           Attack{"priority_update_flood", {calm}},               //
                                           Attack{"empty_data_flood", {calm}},                    //
                                           Attack{"padded_data_flood", {calm}},                   //
                                           Attack{"window_update_flood", {calm}},                 //
                                           Attack{"connection_window_update_flood", {calm}},      //
                                           Attack{"unknown_frame_flood", {calm}},                 //
                                           Attack{"altsvc_flood", {calm}},                        //
                                           Attack{"goaway_flood", {calm}},                        //
                                           Attack{"data_after_the_end_flood", {calm, stream_closed}, "", true}),
                         name_of);

// --- what breaks one response, and costs no other

class EndsTheStream : public HostileTest {};

TEST_P(EndsTheStream, and_leaves_the_connection_to_others) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  H2Call other = start(client, get(server.attack("hold")));
  ASSERT_TRUE(server.wait_for("held", 1));
  const Attack& attack = GetParam();
  const Result<Response> reply = client.get(server.attack(attack.name, attack.arguments));
  ASSERT_FALSE(reply) << reply->status << " " << reply->body;
  EXPECT_EQ(reply.error().kind, ErrorKind::broken_peer) << describe(reply);
  EXPECT_EQ(reply.error().message.find_first_of("\r\n"), std::string::npos);
  ASSERT_TRUE(server.wait_for("resets", 1)) << "the server is told";
  const LoggedConnection connection = victim(server);
  EXPECT_NE(std::find(attack.codes.begin(), attack.codes.end(), connection.resets.at(0).second), attack.codes.end())
      << "RST_STREAM " << connection.resets.at(0).second;
  server.release();
  EXPECT_STATUS(other.reply.get(), 200);
  ASSERT_STATUS(client.get(server.url("/next")), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

std::vector<Attack> malformed() {
  std::vector<Attack> all;
  for (const char* name : {"uppercase_name",
                           "name_with_a_space",
                           "name_with_a_colon",
                           "empty_name",
                           "value_with_cr",
                           "value_with_lf",
                           "value_with_nul",
                           "no_status",
                           "two_statuses",
                           "status_of_letters",
                           "status_of_four_digits",
                           "status_after_a_field",
                           "status_101",
                           "pseudo_field_of_a_request",
                           "pseudo_field_unknown",
                           "pseudo_field_in_trailers",
                           "connection_field",
                           "keep_alive_field",
                           "proxy_connection_field",
                           "transfer_encoding_field",
                           "upgrade_field",
                           "content_length_too_long",
                           "content_length_too_short",
                           "content_length_and_no_body",
                           "two_content_lengths",
                           "content_length_negative",
                           "content_length_of_letters",
                           "informational_that_ends",
                           "trailers_without_end"}) {
    all.push_back({name, {protocol_error}});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Malformed, EndsTheStream, ::testing::ValuesIn(malformed()), name_of);

constexpr std::int64_t any_code[] = {1, 2, 3, 8, 11};
INSTANTIATE_TEST_SUITE_P(Limits, EndsTheStream,
                         ::testing::Values(Attack{"window_update_overflow_of_the_stream", {flow_control_error}},
                                           Attack{"headers_too_large", {std::begin(any_code), std::end(any_code)}},
                                           Attack{"headers_too_many", {std::begin(any_code), std::end(any_code)}}),
                         name_of);

// --- what is odd, and borne

class IsBorne : public HostileTest {};

TEST_P(IsBorne, and_the_request_is_answered) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  const Attack& attack = GetParam();
  const Result<Response> reply = client.get(server.attack(attack.name, attack.arguments));
  ASSERT_STATUS(reply, 200);
  ASSERT_STATUS(client.get(server.url("/next")), 200);
  EXPECT_LE(server.log().accepts, 2);
}

INSTANTIATE_TEST_SUITE_P(Frames, IsBorne,
                         ::testing::Values(Attack{"rst_no_error_after_the_response", {}},
                                           Attack{"ignored_frames", {}},               //
                                           Attack{"goaway_with_an_unknown_code", {}},  //
                                           Attack{"goaway_with_huge_debug_data", {}},  //
                                           Attack{"goaway_twice", {}},                 //
                                           Attack{"data_after_the_end", {}},           //
                                           Attack{"limit_flaps", {}},                  //
                                           Attack{"crumbs", {}, "size=1000"},          //
                                           Attack{"ping_flood", {}, "n=100"}),
                         name_of);

// --- what must end one or the other, at once and in little memory

class EndsOneOrAll : public HostileTest {};

TEST_P(EndsOneOrAll, and_the_next_request_works) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  const Attack& attack = GetParam();
  const Result<Response> reply = client.get(server.attack(attack.name, attack.arguments));
  ASSERT_FALSE(reply);
  ASSERT_EQ(reply.error().kind, ErrorKind::broken_peer) << describe(reply);
  EXPECT_TRUE(eventually([&] { return victim(server).goaway >= 0 || !victim(server).resets.empty(); }))
      << "the server must be told";
  ASSERT_STATUS(client.get(server.url("/next")), 200);
}

INSTANTIATE_TEST_SUITE_P(Bombs, EndsOneOrAll,
                         ::testing::Values(Attack{"hpack_bomb", {}}, Attack{"hpack_bomb_of_cookie_crumbs", {}},
                                           Attack{"informational_flood", {}}),
                         name_of);

// --- single ones

class HostileServer : public HostileTest {};

TEST_F(HostileServer, one_that_does_not_read_our_answers_makes_no_queue_grow) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  const Result<Response> reply = client.get(server.attack("deaf_flood"));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::broken_peer) << describe(reply);
  ASSERT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_LT(victim(server).received, 1 << 20) << "an answer to each would be 17 bytes, a thousand thousand times";
  ASSERT_STATUS(client.get(server.url("/next")), 200);
}

TEST_F(HostileServer, data_beyond_the_window_is_not_taken) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  Result<ResponseStream> unread = client.open(get(server.attack("data_beyond_the_window")));
  ASSERT_GOOD(unread);
  H2Call beside = start(client, get(server.url("/beside")));
  ASSERT_TRUE(eventually([&] {
    const std::vector<LoggedConnection> all = server.log().connections;
    return all[0].goaway >= 0 || !all[0].resets.empty();
  })) << "it must be told";
  const LoggedConnection connection = victim(server);
  EXPECT_EQ(connection.goaway >= 0 ? connection.goaway : connection.resets[0].second, flow_control_error);
  const Result<std::string> all = unread->read_all(64 << 20);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().kind, ErrorKind::broken_peer) << describe(all);
  beside.reply.wait();
  ASSERT_STATUS(client.get(server.url("/next")), 200);
}

TEST_F(HostileServer, goaway_for_calm_is_not_answered_with_another_try) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  const Result<Response> reply = client.get(server.attack("goaway_calm"));
  ASSERT_TRUE(fails_as(reply, "throttled"));
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
  EXPECT_EQ(server.log().requests.size(), 1U);
  ASSERT_STATUS(client.get(server.url("/later")), 200);
}

TEST_F(HostileServer, goaway_for_inadequate_security_is_not_asked_for_ever) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  const Result<Response> reply = client.get(server.attack("goaway_inadequate_security"));
  ASSERT_FALSE(reply);
  EXPECT_LE(server.log().requests.size(), 12U);
}

TEST_F(HostileServer, a_goaway_that_leaves_the_request_out_lets_it_move_whatever_its_method) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  const Result<Response> reply = client.post(server.attack("goaway_below", "times=1"), "body");
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->retries, 1);
  EXPECT_EQ(server.log().accepts, 2);
  const Result<Response> never = client.post(server.attack("goaway_below"), "body");
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().maybe_processed, MaybeProcessed::no);
  EXPECT_LE(server.log().requests.size(), 14U);
}

// CVE-2023-35945: streams that were reset after GOAWAY must not be left behind. The fixture's last look would show it.
TEST_F(HostileServer, resets_after_goaway_leave_nothing_behind) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  for (int i = 0; i < 20; ++i) {
    const Result<Response> reply = client.post(server.attack("goaway_then_rst"), "body");
    ASSERT_TRUE(fails_as(reply, "stream_reset"));
  }
  EXPECT_EQ(server.log().accepts, 20);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

TEST_F(HostileServer, a_close_without_a_word_fails_what_may_have_been_processed) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  for (const std::string how : {"", "rst=1"}) {
    const Result<Response> reply = client.post(server.attack("close", how), "body");
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, ErrorKind::disconnected) << how << ": " << describe(reply);
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::unknown);
  }
}

// One event tells of both; what is read first must not hide the end.
TEST_F(HostileServer, a_close_right_behind_bytes_is_heard) {
  Listener& server = serve_hostile();
  const Client client = make_client(hostile_options());
  H2Call call = start(client, post(server.attack("last_words"), "body"));
  ASSERT_TRUE(server.wait_for("held", 1));
  ASSERT_TRUE(release_behind_the_loop(client, server));
  const Result<Response> reply = call.reply.get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::disconnected) << describe(reply);
}

// --- how a connection begins

class HostileOpening : public HostileTest {};

TEST_P(HostileOpening, fails_typed_and_a_connection_that_begins_well_works) {
  const Attack& attack = GetParam();
  Listener& server = serve({.scenario = "h2", .settings = {{"open", attack.name}, {"first", "1000"}}});
  const Client client = make_client(hostile_options());
  const Result<Response> reply = client.post(server.url("/first"), "body");
  EXPECT_TRUE(fails_as(reply, attack.arguments));
  ASSERT_TRUE(server.wait_for_exactly("open", 0));
  if (!attack.codes.empty()) {
    EXPECT_EQ(victim(server).goaway, attack.codes[0]) << victim(server).goaway_debug;
  }
  EXPECT_LE(server.log().accepts, 8);
  server.set("first", "0");
  // A route whose connections all failed pauses for a moment.
  EXPECT_TRUE(eventually([&] { return client.get(server.url("/next")).has_value(); }));
}

INSTANTIATE_TEST_SUITE_P(Openings, HostileOpening,
                         ::testing::Values(Attack{"no_settings", {protocol_error}, "invalid_response"},
                                           Attack{"garbage", {}, "invalid_response"},
                                           Attack{"settings_ack_first", {protocol_error}, "invalid_response"},
                                           Attack{"http1_answer", {}, "http1_required"},
                                           Attack{"goaway_calm", {}, "throttled"}),
                         name_of);

TEST_F(HostileServer, goaway_as_the_first_word_lets_the_request_move) {
  Listener& server = serve({.scenario = "h2", .settings = {{"open", "goaway"}, {"first", "2"}}});
  const Client client = make_client(hostile_options());
  ASSERT_STATUS(client.post(server.url("/first"), "body"), 200);
  EXPECT_EQ(server.log().accepts, 3);
}

}  // namespace
}  // namespace trunkline::test
