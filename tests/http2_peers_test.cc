// HTTP/2 against real servers: nghttpd, nghttpx in front of it, nginx, HAProxy with stream limits; restarted and
// reloaded under load. And real clients against our own server, whose word the other tests take.
#include "support/h2_test.h"
#include "support/nginx.h"

#include <signal.h>
#include <unistd.h>

namespace trunkline::test {
namespace {

class PeersTest : public HttpTest {
 protected:
  static bool installed(const std::string& program) {
    for (const char* folder : {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/"}) {
      if (access((folder + program).c_str(), X_OK) == 0) return true;
    }
    return false;
  }
  // Requests until told to stop, from callbacks: what failed, and how many came back.
  class Load {
   public:
    Load(Client client, std::string url, int at_a_time) : client_(std::move(client)), url_(std::move(url)) {
      for (int i = 0; i < at_a_time; ++i) ask();
    }
    ~Load() { stop(); }
    void stop() {
      stopping_ = true;
      EXPECT_TRUE(eventually([&] { return under_way_ == 0; }));
    }
    int answered() const { return answered_; }
    std::string first_failure() const {
      std::lock_guard lock(mutex_);
      return failure_;
    }

   private:
    void ask() {
      ++under_way_;
      client_.start(get(url_), [this](const Result<Response>& reply) {
        if (reply && reply->status == 200) {
          ++answered_;
        } else {
          std::lock_guard lock(mutex_);
          if (failure_.empty()) failure_ = reply ? "status " + std::to_string(reply->status) : describe(reply);
        }
        if (!stopping_) ask();
        --under_way_;
      });
    }

    Client client_;
    std::string url_;
    std::atomic<bool> stopping_{false};
    std::atomic<int> under_way_{0};
    std::atomic<int> answered_{0};
    mutable std::mutex mutex_;
    std::string failure_;
  };
  // The basics, which every real server must give.
  static void expect_basics(const Client& client, const std::string& base, std::string_view protocol) {
    const Result<Response> small = client.get(base + "/small");
    ASSERT_STATUS(small, 200);
    EXPECT_EQ(small->connection.protocol, protocol);
    const Result<Response> large = client.get(base + "/large");
    ASSERT_STATUS(large, 200);
    EXPECT_EQ(large->body, std::string(1 << 20, 'n'));
    EXPECT_STATUS(client.send(head(base + "/large")), 200);
    EXPECT_STATUS(client.get(base + "/missing"), 404);
    const auto replies = all_at_once(client, 200, [&](int) { return get(base + "/small"); });
    for (const auto& reply : replies) ASSERT_STATUS(reply, 200);
    const auto many = all_at_once(client, 20, [&](int) { return get(base + "/large"); });
    for (const auto& reply : many) {
      ASSERT_STATUS(reply, 200);
      EXPECT_EQ(reply->body.size(), 1U << 20U);
    }
  }
  // A folder with /small and /large.
  std::string files() {
    directory_.write("files/small", "small");
    return std::filesystem::path(directory_.write("files/large", std::string(1 << 20, 'n'))).parent_path().string();
  }
  std::unique_ptr<Process> nghttpd(int port, bool tls, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"nghttpd", "-a", "127.0.0.1", "-d", files()};
    if (!tls) words.emplace_back("--no-tls");
    words.insert(words.end(), more.begin(), more.end());
    words.push_back(std::to_string(port));
    if (tls) {
      words.push_back(server_certificate().key_file);
      words.push_back(server_certificate().certificate_file);
    }
    auto process = std::make_unique<Process>(words);
    EXPECT_TRUE(wait_for_port(port));
    return process;
  }
  static std::string base(bool tls, int port) {
    return (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port);
  }

  TempDir directory_;
};

// --- real clients on our own server

TEST_F(PeersTest, h2load_and_our_server_count_the_same) {
  if (!installed("h2load")) GTEST_SKIP() << "there is no h2load";
  for (const bool tls : {false, true}) {
    H2Server& server = serve_h2({.certificate = certificate_if(tls)});
    do_not_compare(server);
    Process h2load({"h2load", "-n1000", "-c3", "-m20", server.url("/hello")});
    std::string output;
    EXPECT_EQ(h2load.wait(&output), 0);
    EXPECT_NE(output.find("1000 succeeded, 0 failed"), std::string::npos) << output;
    EXPECT_EQ(server.accepts(), 3);
    EXPECT_EQ(server.processed(), 1000);
    EXPECT_LE(server.most_streams(), 20);
    EXPECT_GE(server.most_streams(), 2);
  }
}

TEST_F(PeersTest, nghttp_finds_nothing_wrong_with_our_server) {
  if (!installed("nghttp")) GTEST_SKIP() << "there is no nghttp";
  H2Server& server = serve_h2();
  do_not_compare(server);
  for (const std::string path : {"/hello", "/size/3000000", "/trailers", "/hints/3", "/status/204", "/delay/5"}) {
    Process nghttp({"nghttp", "-v", "--no-dep", server.url(path)});
    std::string output;
    EXPECT_EQ(nghttp.wait(&output), 0) << path;
    EXPECT_EQ(output.find("[INVALID"), std::string::npos) << path << "\n" << output;
    EXPECT_EQ(output.find("RST_STREAM"), std::string::npos) << path;
    EXPECT_NE(output.find("END_STREAM"), std::string::npos) << path;
  }
  const H2Request last = server.log().back();
  EXPECT_EQ(last.field(":method"), "GET");
  EXPECT_TRUE(last.processed);
}

TEST_F(PeersTest, curl_uploads_to_our_server) {
  if (!installed("curl")) GTEST_SKIP() << "there is no curl";
  const std::string body = directory_.write("body", pattern(3000000));
  for (const bool tls : {false, true}) {
    H2Server& server = serve_h2({.certificate = certificate_if(tls)});
    do_not_compare(server);
    Process curl({"curl", "-sS", tls ? "--http2" : "--http2-prior-knowledge", "--cacert", authority().file(),
                  "--data-binary", "@" + body, server.url("/count"), "-w", " %{http_version} %{http_code}"});
    std::string output;
    EXPECT_EQ(curl.wait(&output), 0);
    EXPECT_EQ(output, "3000000 2 200");
    EXPECT_EQ(server.log().at(0).body, pattern(65536));
  }
}

TEST_F(PeersTest, h2load_is_told_goaway_and_refused_as_the_options_say) {
  if (!installed("h2load")) GTEST_SKIP() << "there is no h2load";
  H2Server& server = serve_h2({.refuse_every = 10});
  do_not_compare(server);
  Process h2load({"h2load", "-n100", "-c1", "-m10", server.url("/hello")});
  std::string output;
  h2load.wait(&output);
  EXPECT_NE(output.find("90 succeeded, 10 failed"), std::string::npos) << output;
  EXPECT_EQ(server.refused(), 10);
}

// --- nghttpd

TEST_F(PeersTest, nghttpd_in_clear_and_over_tls) {
  if (!installed("nghttpd")) GTEST_SKIP() << "there is no nghttpd";
  for (const bool tls : {false, true}) {
    const int port = free_port();
    const auto server = nghttpd(port, tls);
    expect_basics(make_client(h2_options(tls)), base(tls, port), tls ? "h2" : "h2c");
  }
}

TEST_F(PeersTest, nghttpd_with_stream_limits) {
  if (!installed("nghttpd")) GTEST_SKIP() << "there is no nghttpd";
  for (const int limit : {1, 2, 8, 100}) {
    const int port = free_port();
    const auto server = nghttpd(port, false, {"-m", std::to_string(limit)});
    const Client client = make_client(h2c_options());
    const auto replies = all_at_once(client, 200, [&](int) { return get(base(false, port) + "/small"); });
    for (const auto& reply : replies) ASSERT_STATUS(reply, 200);
    EXPECT_EQ(stats().requests.failed_total(), 0U) << limit;
  }
}

TEST_F(PeersTest, nghttpd_echoes_uploads_and_sends_trailers) {
  if (!installed("nghttpd")) GTEST_SKIP() << "there is no nghttpd";
  const int port = free_port();
  const auto server = nghttpd(port, true, {"--echo-upload", "--trailer", "x-sum: 12"});
  const Client client = make_client(h2_options());
  const auto replies = all_at_once(client, 20, [&](int) { return post(base(true, port) + "/small", pattern(500000)); });
  for (const auto& reply : replies) {
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, pattern(500000));
    EXPECT_EQ(reply->trailers.get("x-sum"), "12");
  }
}

TEST_F(PeersTest, nghttpd_that_restarts_under_load_costs_only_what_was_under_way) {
  if (!installed("nghttpd")) GTEST_SKIP() << "there is no nghttpd";
  const int port = free_port();
  auto server = nghttpd(port, false);
  const Client client = make_client(h2c_options());
  ASSERT_STATUS(client.get(base(false, port) + "/small"), 200);
  for (int i = 0; i < 3; ++i) {
    server->send_signal(SIGTERM);
    server->wait();
    server = nghttpd(port, false);
    ASSERT_TRUE(eventually([&] {
      const Result<Response> reply = client.get(base(false, port) + "/small");
      return reply && reply->status == 200;
    })) << "it must be found again";
    expect_all_good(all_at_once(client, 100, [&](int) { return get(base(false, port) + "/small"); }),
                    [](int) { return std::string("small"); });
  }
}

// --- nghttpx

TEST_F(PeersTest, nghttpx_in_front_of_nghttpd) {
  if (!installed("nghttpd") || !installed("nghttpx")) GTEST_SKIP() << "there is no nghttpd or nghttpx";
  const int backend = free_port();
  const auto behind = nghttpd(backend, false);
  for (const bool tls : {false, true}) {
    const int port = free_port();
    std::vector<std::string> words{"nghttpx",
                                   "--conf=/dev/null",
                                   "--errorlog-file=/dev/null",
                                   "--workers=1",
                                   "--frontend=127.0.0.1," + std::to_string(port) + (tls ? "" : ";no-tls"),
                                   "--backend=127.0.0.1," + std::to_string(backend) + ";;proto=h2"};
    if (tls) {
      words.push_back(server_certificate().key_file);
      words.push_back(server_certificate().certificate_file);
    }
    Process proxy(words);
    ASSERT_TRUE(wait_for_port(port));
    expect_basics(make_client(h2_options(tls)), base(tls, port), tls ? "h2" : "h2c");
    proxy.send_signal(SIGQUIT);  // it lets go of what it has
  }
}

// --- nginx

TEST_F(PeersTest, nginx_over_tls_and_in_clear) {
  if (!Nginx::installed()) GTEST_SKIP() << "there is no nginx";
  for (const bool tls : {false, true}) {
    const Nginx nginx({.certificate = certificate_if(tls), .http2 = true});
    expect_basics(make_client(h2_options(tls)), nginx.url(""), tls ? "h2" : "h2c");
    EXPECT_STATUS(make_client(h2_options(tls)).post(nginx.url("/small"), pattern(1000000)), 200);
  }
}

TEST_F(PeersTest, nginx_with_automatic_speaks_http_2) {
  if (!Nginx::installed()) GTEST_SKIP() << "there is no nginx";
  const Nginx nginx({.certificate = &server_certificate(), .http2 = true});
  expect_basics(make_client(tls_options()), nginx.url(""), "h2");
}

TEST_F(PeersTest, nginx_with_stream_limits) {
  if (!Nginx::installed()) GTEST_SKIP() << "there is no nginx";
  for (const int limit : {1, 2, 8, 100}) {
    const Nginx nginx({.server = "http2_max_concurrent_streams " + std::to_string(limit) + ";", .http2 = true});
    const Client client = make_client(h2c_options());
    const auto replies = all_at_once(client, 200, [&](int) { return get(nginx.url("/small")); });
    for (const auto& reply : replies) ASSERT_STATUS(reply, 200);
    EXPECT_EQ(nginx.log(200).size(), 200U) << "a request was sent twice";
  }
}

TEST_F(PeersTest, F14_nginx_that_says_goaway_after_ten_requests_causes_no_error) {
  if (!Nginx::installed()) GTEST_SKIP() << "there is no nginx";
  const Nginx nginx({.server = "keepalive_requests 10;", .http2 = true});
  const Client client = make_client(h2c_options());
  const auto replies = keep_busy(client, 8, 1000, [&](int) { return post(nginx.url("/small"), "x"); });
  for (const auto& reply : replies) ASSERT_STATUS(reply, 200);
  EXPECT_EQ(nginx.log(1000).size(), 1000U) << "a request was processed twice";
}

TEST_F(PeersTest, nginx_that_reloads_under_load_causes_no_error) {
  if (!Nginx::installed()) GTEST_SKIP() << "there is no nginx";
  for (const bool tls : {false, true}) {
    const Nginx nginx(
        {.server = "keepalive_requests 100000;", .certificate = certificate_if(tls), .master = true, .http2 = true});
    Load load(make_client(h2_options(tls)), nginx.url("/small"), 20);
    for (int i = 0; i < 4; ++i) {
      const int before = load.answered();
      ASSERT_TRUE(eventually([&] { return load.answered() > before + 200; }));
      nginx.reload();
    }
    const int before = load.answered();
    EXPECT_TRUE(eventually([&] { return load.answered() > before + 200; })) << "it stands still after a reload";
    load.stop();
    EXPECT_EQ(load.first_failure(), "");
  }
}

// --- HAProxy

class HaproxyTest : public PeersTest {
 protected:
  void SetUp() override {
    if (!installed("haproxy")) GTEST_SKIP() << "there is no haproxy";
  }
  std::string configuration(int port, bool tls, int backend, int limit) {
    std::string text = "global\n  tune.h2.max-concurrent-streams " + std::to_string(limit) +
                       "\n  hard-stop-after 20s\ndefaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n"
                       "  timeout connect 5s\nfrontend in\n  bind 127.0.0.1:" +
                       std::to_string(port);
    if (tls) {
      text += " ssl crt " + directory_.write("pem", server_certificate().certificate + server_certificate().key) +
              " alpn h2,http/1.1";
    } else {
      text += " proto h2";
    }
    text += "\n  default_backend behind\nbackend behind\n  server one 127.0.0.1:" + std::to_string(backend) + "\n";
    return text;
  }
};

TEST_F(HaproxyTest, stream_limits) {
  CountingServer& behind = count();
  do_not_compare(behind);
  for (const bool tls : {false, true}) {
    for (const int limit : {1, 2, 8, 100}) {
      const int port = free_port();
      const std::string file = directory_.write("haproxy.cfg", configuration(port, tls, behind.port(), limit));
      Process haproxy({"haproxy", "-q", "-db", "-f", file});
      ASSERT_TRUE(wait_for_port(port));
      const Client client = make_client(h2_options(tls));
      expect_all_good(all_at_once(client, 200, [&](int i) { return get(base(tls, port) + numbered(i)); }), numbered);
      EXPECT_EQ(stats().requests.failed_total(), 0U) << limit;
      EXPECT_EQ(client.get(base(tls, port) + "/x")->connection.protocol, tls ? "h2" : "h2c");
    }
  }
}

TEST_F(HaproxyTest, reloads_under_load_cause_no_error) {
  CountingServer& behind = count();
  do_not_compare(behind);
  const int port = free_port();
  const std::string file = directory_.write("haproxy.cfg", configuration(port, true, behind.port(), 100));
  Process haproxy({"haproxy", "-q", "-W", "-db", "-f", file});
  ASSERT_TRUE(wait_for_port(port));
  Load load(make_client(h2_options()), base(true, port) + "/x", 20);
  for (int i = 0; i < 3; ++i) {
    const int before = load.answered();
    ASSERT_TRUE(eventually([&] { return load.answered() > before + 200; })) << load.first_failure();
    haproxy.send_signal(SIGUSR2);
  }
  const int before = load.answered();
  EXPECT_TRUE(eventually([&] { return load.answered() > before + 200; })) << "it stands still after a reload";
  load.stop();
  EXPECT_EQ(load.first_failure(), "");
  haproxy.send_signal(SIGTERM);
  haproxy.wait();
}

}  // namespace
}  // namespace trunkline::test
