// The API over a real socket, with made-up sources, as programs and browsers ask it.
#include "services/console/console.h"

#include <gtest/gtest.h>

#include <array>

#include <trunkline/client.hpp>

#include "server/server.h"
#include "services/config/document.h"
#include "services/console/test_sources.h"

namespace trunkline::console {
namespace {

class ConsoleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server::Router router;
    console = add_console(router, sources.all(), {.look_every = Duration(0), .events = {.watchers = 2}});
    auto handler = std::move(router).handler();
    ASSERT_TRUE(handler) << handler.error().message;
    auto started = server::Server::start({.listen = {{.address = "127.0.0.1:0"}}, .loops = 1}, std::move(*handler));
    ASSERT_TRUE(started) << started.error().message;
    server = std::move(*started);
  }
  void TearDown() override {
    console->stop();
    EXPECT_TRUE(server->drain(std::chrono::seconds(2))) << "a stream held up the drain";
  }

  std::string url(std::string_view path) const { return "http://" + server->addresses().front() + std::string(path); }
  Response ask(std::string_view path, Headers headers = {}) const {
    return send(Request("GET", url(path)).headers(std::move(headers)));
  }
  Response send(Request request) const {
    auto response = client.send(std::move(request));
    EXPECT_TRUE(response) << response.error().message;
    return response ? std::move(*response) : Response();
  }
  // With a limit, so that a test which waits for what never comes fails and does not hang.
  Request events_request() const { return get(url("/api/v1/events")).total_timeout(std::chrono::seconds(10)); }
  // Parsed as strictly as RFC 8259 says.
  config::Node json(std::string_view path) const {
    const Response response = ask(path);
    EXPECT_EQ(response.status, 200) << path;
    auto node = config::parse_json(response.body, path);
    EXPECT_TRUE(node) << node.error().message;
    return node ? std::move(*node) : config::Node();
  }

  TestSources sources;
  std::shared_ptr<Console> console;
  std::unique_ptr<server::Server> server;
  Client client;
};

TEST_F(ConsoleTest, answers_what_it_is_asked_with_json) {
  sources.fleet.decide(1000, 30);
  EXPECT_EQ(json("/api/v1/status").find("pid")->text, "4242");
  EXPECT_EQ(json("/api/v1/transport").find("routes")->children.at(0).find("reused")->text, "997");
  EXPECT_EQ(json("/api/v1/targets").find("targets")->children.at(0).find("dial_reason")->text, "peer_closed");
  EXPECT_EQ(json("/api/v1/fleets").children.at(0).find("name")->text, "chat");
  EXPECT_EQ(json("/api/v1/fleets/chat").find("pods")->children.at(1).find("input")->text, "missing");
  EXPECT_EQ(json("/api/v1/fleets/chat/decisions").children.at(0).find("number")->text, "1");
  EXPECT_EQ(json("/api/v1/advice").children.at(0).find("sentence")->text, sources.stats.routes[0].advice);
  EXPECT_EQ(json("/api/v1/advice").children.at(1).find("code")->text, "server_says_shorter");
  EXPECT_NE(ask("/api/v1/fleets/chat/policy").body.find("active_ws_connections"), std::string::npos);
}

TEST_F(ConsoleTest, lists_the_connections_of_a_route_within_bounds) {
  sources.connections.left_out = 3;
  sources.connections.connections.push_back(sources.connections.connections[0]);
  sources.connections.connections[1].streams_allowed = 0xffffffff;  // no SETTINGS limit it
  const config::Node answer = json("/api/v1/connections?route=https%3A%2F%2Fa.example%3A443&key=0a1b2c3d&limit=5000");
  EXPECT_EQ(sources.asked.route, "https://a.example:443");
  EXPECT_EQ(sources.asked.key, "0a1b2c3d");
  EXPECT_EQ(sources.asked.most, 1000U);
  EXPECT_EQ(answer.find("left_out")->text, "3");
  const config::Node& first = answer.find("connections")->children.at(0);
  EXPECT_EQ(first.find("requests")->text, "331");
  EXPECT_EQ(first.find("dial_reason")->text, "busy");
  EXPECT_EQ(first.find("age_seconds")->text, "90.000000");
  EXPECT_EQ(first.find("streams_allowed")->text, "1");
  EXPECT_EQ(answer.find("connections")->children.at(1).find("streams_allowed")->kind, config::Node::Kind::null);
  json("/api/v1/connections");
  EXPECT_EQ(sources.asked.route, "");
  EXPECT_EQ(sources.asked.most, 100U);
}

TEST_F(ConsoleTest, says_which_options_keep_two_pools_apart) {
  const config::Node changes = json("/api/v1/pools/differences?a=0a1b2c3d&b=4d5e6f70");
  ASSERT_EQ(changes.children.size(), 1U);
  EXPECT_EQ(changes.children[0].find("option")->text, "proxy");
  EXPECT_EQ(changes.children[0].find("a")->text, "unset");
  EXPECT_TRUE(json("/api/v1/pools/differences?a=0a1b2c3d&b=0a1b2c3d").children.empty());
  const Response unknown = ask("/api/v1/pools/differences?a=0a1b2c3d&b=nobody");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_NE(unknown.body.find("no transport uses the pool nobody"), std::string::npos) << unknown.body;
}

TEST_F(ConsoleTest, lists_decisions_behind_a_number_and_up_to_a_limit) {
  for (int i = 1; i <= 9; ++i) sources.fleet.decide(1000 + i, 30);
  const config::Node all = json("/api/v1/fleets/chat/decisions?after=3&limit=4");
  ASSERT_EQ(all.children.size(), 4U);
  EXPECT_EQ(all.children.front().find("number")->text, "6");
  EXPECT_EQ(all.children.back().find("number")->text, "9");
  EXPECT_EQ(all.children.back().find("pods")->children.size(), 2U);
  EXPECT_TRUE(json("/api/v1/fleets/chat/decisions?pods=0").children.back().find("pods")->children.empty());
}

TEST_F(ConsoleTest, gives_the_history_of_a_route_by_its_name_and_key) {
  sources.stats.routes[0].route = "https://a.example:443 via http://proxy:3128";
  console->look({WallTime(std::chrono::seconds(1000)), Clock::now()});
  const config::Node history =
      json("/api/v1/routes/history?route=https%3A%2F%2Fa.example%3A443%20via%20http%3A%2F%2Fproxy%3A3128&key=0a1b2c3d");
  EXPECT_EQ(history.find("open")->children.at(0).text, "3");
}

TEST_F(ConsoleTest, shows_which_protocol_a_route_speaks) {
  const auto transport = Transport::create();  // its own pool: the process's lists its busiest routes only
  EXPECT_TRUE(Client(transport).get(url("/api/v1/status")));
  std::string protocol;
  for (const RouteStats& route : transport->stats().routes) {
    if (route.route == url("")) protocol = route.protocol;
  }
  EXPECT_EQ(protocol, "http/1.1");
}

TEST_F(ConsoleTest, says_what_is_not_there) {
  for (const char* path : {"/api/v1/fleets/nobody", "/api/v1/fleets/nobody/decisions", "/api/v1/fleets/nobody/policy",
                           "/api/v1/fleets/nobody/history", "/api/v1/routes/history?route=nobody&key=x"}) {
    const Response response = ask(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_TRUE(config::parse_json(response.body, path)->find("error") != nullptr) << response.body;
  }
}

TEST_F(ConsoleTest, answers_nobody_who_comes_under_a_foreign_name) {
  EXPECT_EQ(ask("/api/v1/status", {{"Host", "evil.example"}}).status, 421);
  EXPECT_EQ(ask("/", {{"Host", "evil.example"}}).status, 421);
  EXPECT_EQ(ask("/api/v1/events", {{"Host", "evil.example"}}).status, 421);
  EXPECT_EQ(ask("/api/v1/status", {{"Host", "console.internal:9600"}}).status, 200);
  EXPECT_EQ(ask("/api/v1/status", {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
  EXPECT_EQ(ask("/", {{"Sec-Fetch-Site", "cross-site"}}).status, 200);  // somebody followed a link
}

TEST_F(ConsoleTest, protects_every_answer) {
  for (const char* path : {"/", "/api/v1/status", "/api/v1/fleets/nobody", "/assets/nothing.js"}) {
    const Response response = ask(path);
    EXPECT_NE(response.headers.get("content-security-policy").value_or("").find("default-src 'none'"),
              std::string_view::npos)
        << path;
  }
}

TEST_F(ConsoleTest, changes_nothing_for_anybody) {
  for (const char* path : {"/", "/api/v1/status", "/api/v1/fleets/chat", "/api/v1/fleets/chat/policy"}) {
    EXPECT_EQ(send(post(url(path), "x")).status, 405) << path;
  }
}

TEST_F(ConsoleTest, serves_the_page_and_what_it_names) {
  const Response page = ask("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.get("cache-control"), "no-cache");
  const std::size_t at = page.body.find("/assets/");
  ASSERT_NE(at, std::string::npos) << page.body;
  EXPECT_EQ(ask(page.body.substr(at, page.body.find('"', at) - at)).status, 200);
}

TEST_F(ConsoleTest, simulates_and_says_what_is_wrong) {
  const std::string path = "/api/v1/fleets/chat/simulate";
  EXPECT_EQ(send(post(url(path), "name: x")).status, 422);
  for (int i = 0; i < 9; ++i) sources.fleet.decide(1000 + 15 * i, 300);
  const std::string policy = ask("/api/v1/fleets/chat/policy").body;
  const Response response = send(post(url(path), policy));
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_NE(response.body.find("\"simulated\""), std::string::npos);
  EXPECT_EQ(send(post(url("/api/v1/fleets/nobody/simulate"), policy)).status, 404);
  EXPECT_EQ(send(post(url(path), std::string(70'000, '#'))).status, 413);
  EXPECT_EQ(send(post(url(path), policy).header("Origin", "https://evil.example")).status, 403);
}

// One piece of a stream at a time, as a browser reads it.
std::string read_until(ResponseStream& stream, std::string_view end) {
  std::string all;
  std::array<char, 4096> piece{};
  while (all.find(end) == std::string::npos) {
    const auto size = stream.read(piece);
    if (!size || *size == 0) return all + " (ended)";
    all.append(piece.data(), *size);
  }
  return all;
}

TEST_F(ConsoleTest, streams_events_and_goes_on_where_it_was) {
  auto stream = client.open(events_request());
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(stream->headers().get("content-type"), "text/event-stream");
  EXPECT_NE(read_until(*stream, "\n\n").find("hello"), std::string::npos);
  console->look({std::chrono::system_clock::now(), Clock::now()});
  const std::string first = read_until(*stream, "event: transport");
  EXPECT_EQ(first.find("ended"), std::string::npos);
  const std::size_t at = first.find("id: ") + 4;
  const std::string id = first.substr(at, first.find('\n', at) - at);

  auto second = client.open(events_request().header("Last-Event-ID", id));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(read_until(*second, "event: transport").find("\"resumed\":true"), std::string::npos);

  EXPECT_EQ(ask("/api/v1/events").status, 503);  // the third of two
  console->stop();
  EXPECT_NE(read_until(*stream, "never").find("(ended)"), std::string::npos);
  EXPECT_EQ(ask("/api/v1/status").status, 503);
}

TEST_F(ConsoleTest, cuts_off_a_watcher_that_does_not_read) {
  auto stream = client.open(events_request());
  ASSERT_TRUE(stream) << stream.error().message;
  read_until(*stream, "hello");  // it is among the watchers
  const std::string large = '"' + std::string(64 * 1024, 'x') + '"';
  int published = 0;
  for (; console->events().watchers() > 0 && published < 2000; ++published) console->events().publish("large", large);
  EXPECT_EQ(console->events().watchers(), 0U) << "still there after " << published;
  EXPECT_EQ(console->events().dropped(), 1U);
}

}  // namespace
}  // namespace trunkline::console
