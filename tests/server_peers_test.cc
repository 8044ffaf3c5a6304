// The server as other people's clients see it: curl, nghttp, h2load, wrk, undici and ws from npm, Chromium. Each does
// what it does best, in clear and over TLS; the server's gauges are looked at when each has gone.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "support/certificates.h"
#include "support/node_packages.h"
#include "support/process.h"
#include "support/serving.h"

namespace trunkline::test {
namespace {

using server::Exchange;
using server::Request;
using server::Settings;

namespace fs = std::filesystem;

const fs::path node_folder = fs::path(TRUNKLINE_TESTS_DIR) / "node";

struct Outcome {
  int code = -1;
  std::string output;
};

Outcome run_peer(std::vector<std::string> command) {
  Process process(std::move(command));
  Outcome run;
  run.code = process.wait(&run.output);
  return run;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class ServerPeersTest : public ServingTest {
 protected:
  void start(bool tls) {
    Settings settings = tls ? secure() : quick();
    serve([this](Request request, Exchange exchange) { handle(std::move(request), std::move(exchange)); }, settings);
  }
  // Of the authority's file, for those who take one more argument over TLS.
  static std::vector<std::string> with_authority(std::vector<std::string> command, bool tls) {
    if (tls) command.push_back(authority().file());
    return command;
  }
  std::string origin() const { return url(""); }
  std::string websocket_origin() const { return "ws" + origin().substr(4); }

  std::promise<std::string> report_;

 private:
  void handle(Request request, Exchange exchange) {
    if (request.wants_websocket) return accept(request.path, std::move(exchange));
    if (request.path == "/hello") return exchange.respond({200, "text/plain", "hello"});
    if (request.path == "/page") return exchange.respond({200, "text/html", read_file(node_folder / "page.html")});
    if (request.path == "/stream") return stream(std::move(exchange));
    const bool is_report = request.path == "/report";
    if (request.path != "/echo" && !is_report) return exchange.respond(server::plain_response(404));
    auto answer = std::make_shared<Exchange>(std::move(exchange));
    request.body.read_all(8 * 1024 * 1024, [this, answer, is_report](Result<std::string> body) {
      if (!body) return answer->respond(server::plain_response(400));
      if (is_report) report_.set_value(*body);
      answer->respond({200, "application/octet-stream", *std::move(body)});
    });
  }

  static void accept(std::string_view path, Exchange exchange) {
    server::WebSocketEvents events;
    events.on_message = [](server::WebSocket& socket, std::string_view message, bool is_text) {
      if (message == "close me") {
        socket.close(4000, "as you wish");
      } else if (is_text) {
        socket.send_text(message);
      } else {
        socket.send_binary(message);
      }
    };
    server::WebSocketSettings settings;
    settings.send_queue_bytes = 4 * 1024 * 1024;
    settings.deflate = path == "/deflate" || path == "/windows";
    settings.keep_windows = path == "/windows";
    exchange.accept_websocket(std::move(settings), std::move(events));
  }

  // 4 MiB, no faster than the client takes them.
  static void stream(Exchange exchange) {
    auto writer = std::make_shared<server::BodyWriter>(exchange.start(200, {}));
    auto left = std::make_shared<int>(64);
    const auto pump = [writer, left] {
      while (*left > 0 && writer->write(std::string(64 * 1024, 'x')) == server::BodyWriter::Sent::taken) {
        if (--*left == 0) writer->finish();
      }
    };
    writer->on_room(pump);
    pump();
  }
};

TEST_F(ServerPeersTest, serves_curl_in_every_protocol) {
  const TempDir folder;
  const std::string upload = folder.write("upload", std::string(1024 * 1024, 'u'));
  struct Way {
    bool tls;
    const char* flag;
    const char* version;
  };
  for (const Way way : {Way{false, "--http1.1", "1.1"}, Way{false, "--http2-prior-knowledge", "2"},
                        Way{false, "--http1.0", "1.1"}, Way{true, "--http1.1", "1.1"}, Way{true, "--http2", "2"}}) {
    start(way.tls);
    const auto curl = [&](std::vector<std::string> more) {
      std::vector<std::string> command{"curl", "-sS", "-m", "20", way.flag, "--cacert", authority().file()};
      command.insert(command.end(), more.begin(), more.end());
      return run_peer(command);
    };
    const Outcome three =
        curl({url("/hello"), url("/hello"), url("/hello"), "-w", "[%{http_version} %{num_connects}]"});
    EXPECT_TRUE(contains(three.output, "hello[" + std::string(way.version) + " 1]")) << three.output;
    // Neither HTTP/1.0 nor Debian 12's curl (7.88.1) with prior knowledge reuses one, whoever the server is.
    if (std::string_view(way.flag) == "--http1.1" || way.tls) {
      EXPECT_TRUE(contains(three.output, "hello[" + std::string(way.version) + " 0]")) << three.output;
      EXPECT_EQ(gauges().accepted, 1u) << "three requests, one connection";
    }
    const Outcome echoed = curl({"--data-binary", "@" + upload, "-H", "Expect: 100-continue", url("/echo")});
    EXPECT_EQ(echoed.output, read_file(upload)) << way.flag;
    EXPECT_EQ(curl({url("/stream")}).output.size(), 4u * 1024 * 1024) << way.flag;
    EXPECT_TRUE(contains(curl({"-I", url("/hello")}).output, "200"));
    EXPECT_TRUE(contains(curl({"-w", "%{http_code}", url("/missing")}).output, "404"));
    EXPECT_TRUE(at_rest());
    ServingTest::TearDown();
  }
}

TEST_F(ServerPeersTest, serves_nghttp_with_padding_small_windows_and_many_at_once) {
  start(false);
  const TempDir folder;
  const std::string upload = folder.write("upload", std::string(300'000, 'u'));
  const Outcome many = run_peer({"nghttp", "-m", "200", "-ns", url("/hello")});
  EXPECT_EQ(many.code, 0) << many.output;
  EXPECT_TRUE(contains(many.output, " 200 ")) << many.output;
  const Outcome odd = run_peer({"nghttp", "-w", "10", "-W", "12", "-b", "200", "-c", "0", url("/stream")});
  EXPECT_EQ(odd.output.size(), 4u * 1024 * 1024);
  const Outcome echoed = run_peer({"nghttp", "-d", upload, "--expect-continue", "-b", "100", url("/echo")});
  EXPECT_EQ(echoed.output, read_file(upload));
  EXPECT_TRUE(at_rest());
}

TEST_F(ServerPeersTest, serves_load_generators_without_an_error) {
  for (const bool tls : {false, true}) {
    for (const bool http1 : {false, true}) {
      start(tls);
      std::vector<std::string> command{"h2load", "-n", "3000", "-c", "10", "-m", http1 ? "1" : "20", url("/hello")};
      if (http1) command.emplace_back("--h1");
      const Outcome run = run_peer(command);
      EXPECT_TRUE(contains(run.output, "3000 succeeded, 0 failed, 0 errored, 0 timeout")) << run.output;
      EXPECT_EQ(gauges().accepted, 10u);
      EXPECT_TRUE(at_rest());
      ServingTest::TearDown();
    }
    start(tls);
    const Outcome run = run_peer({"wrk", "-t1", "-c16", "-d1s", url("/hello")});
    EXPECT_EQ(run.code, 0) << run.output;
    EXPECT_TRUE(contains(run.output, "Requests/sec")) << run.output;
    EXPECT_FALSE(contains(run.output, "Socket errors") || contains(run.output, "Non-2xx")) << run.output;
    EXPECT_LE(gauges().accepted, 17u) << "wrk looks once whether anybody is there";
    EXPECT_TRUE(at_rest());
    ServingTest::TearDown();
  }
}

TEST_F(ServerPeersTest, serves_undici) {
  for (const bool tls : {false, true}) {
    start(tls);
    const Outcome run = run_peer(with_authority({"node", node_program("undici_peer.js"), origin()}, tls));
    EXPECT_TRUE(contains(run.output, "undici is content")) << run.output;
    EXPECT_EQ(run.code, 0);
    EXPECT_TRUE(at_rest());
    ServingTest::TearDown();
  }
}

TEST_F(ServerPeersTest, serves_the_package_ws_plainly_and_compressed) {
  struct Way {
    bool tls;
    const char* path;
  };
  for (const Way way : {Way{false, "/plain"}, Way{false, "/deflate"}, Way{false, "/windows"}, Way{true, "/plain"}}) {
    SCOPED_TRACE(way.path);
    start(way.tls);
    const std::string url = websocket_origin() + way.path;
    const Outcome run = run_peer(with_authority({"node", node_program("ws_peer.js"), url}, way.tls));
    EXPECT_TRUE(contains(run.output, "ws is content")) << run.output;
    EXPECT_EQ(run.code, 0);
    EXPECT_TRUE(eventually([this] { return gauges().websockets == 0; })) << gauges().describe();
    EXPECT_EQ(gauges().websockets_closed, 103u);
    ServingTest::TearDown();
  }
}

TEST_F(ServerPeersTest, serves_chromium) {
  for (const bool tls : {false, true}) {
    report_ = {};
    std::future<std::string> report = report_.get_future();
    start(tls);
    const TempDir profile;
    Process browser({"chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-first-run", "--ignore-certificate-errors", "--user-data-dir=" + profile.path().string(),
                     "--log-level=3", "--disable-background-networking", url("/page")});
    ASSERT_EQ(report.wait_for(seconds(60)), std::future_status::ready) << "the page has not reported";
    EXPECT_EQ(report.get(), R"({"hellos":20,"echo":true,"streamed":4194304,"protocol":")" +
                                std::string(tls ? "h2" : "http/1.1") +
                                R"(","missing":404,"socket":"from a browser","close":"4000 as you wish"})");
    browser.send_signal(SIGTERM);
    browser.wait();
    EXPECT_TRUE(at_rest());
    ServingTest::TearDown();
  }
}

}  // namespace
}  // namespace trunkline::test
