// TLS as an attacker and as an administrator would try it: docs/security.md, and the shapes that must work: 1.2 and
// 1.3, authorities from files, directories and memory, client certificates, resumption.
#include <future>
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class TlsTest : public HttpTest {
 protected:
  // A request to https://HOST:PORT/, where HOST resolves to this machine.
  Result<Response> ask(const Listener& server, const std::string& host, Options options = tls_options()) {
    options.resolve = {{host + ":" + std::to_string(server.port()), "127.0.0.1"}};
    return Client(make_transport(options)).get(server.url(host, "/"));
  }
  Listener& serve_names(const std::string& names, const std::string& common_name = "server") {
    certificates_.push_back(authority().issue({.common_name = common_name, .names = names}));
    return serve({.certificate = &certificates_.back()});
  }
  void expect_untrusted(const Result<Response>& reply) {
    ASSERT_FAILS(reply, ErrorCode::tls_untrusted);
    EXPECT_EQ(reply.error().kind, ErrorKind::unreachable);
    EXPECT_EQ(reply.error().phase, Phase::tls);
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
  }

  std::deque<Certificate> certificates_;
};

// --- versions and resumption

TEST_F(TlsTest, speaks_1_2_and_1_3_and_says_which) {
  for (const std::string version : {"1.2", "1.3"}) {
    Listener& server = serve({.certificate = &server_certificate(), .version = version});
    const Client client = make_client(tls_options());
    for (int i = 0; i < 5; ++i) {
      const Result<Response> reply = client.get(server.url());
      ASSERT_STATUS(reply, 200);
      EXPECT_NE(reply->connection.tls.find("TLSv" + version), std::string::npos) << reply->connection.tls;
    }
    EXPECT_EQ(server.log().accepts, 1) << "a ticket is no reason to close an idle connection";
    EXPECT_EQ(server.log().connections.at(0).tls, "TLSv" + version);
  }
}

TEST_F(TlsTest, resumes_sessions_of_its_own) {
  for (const std::string version : {"1.2", "1.3"}) {
    Listener& server = serve({.certificate = &server_certificate(), .version = version});
    const Client client = make_client(tls_options());
    ASSERT_STATUS(client.get(server.url()), 200);
    for (int i = 0; i < 3; ++i) {
      const Result<Response> again = client.send(get(server.url()).fresh_connection());
      ASSERT_STATUS(again, 200);
      EXPECT_NE(again->connection.tls.find("resumed"), std::string::npos) << again->connection.tls;
    }
    const ServerLog log = server.log();
    ASSERT_EQ(log.accepts, 4);
    EXPECT_FALSE(log.connections[0].resumed);
    for (std::size_t i = 1; i < 4; ++i) EXPECT_TRUE(log.connections[i].resumed) << version << ", connection " << i;
  }
}

TEST_F(TlsTest, resumes_nothing_when_told_so) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Client client = make_client(tls_options().derive([](Options& o) { o.tls.session_resumption = false; }));
  for (int i = 0; i < 3; ++i) ASSERT_STATUS(client.send(get(server.url()).fresh_connection()), 200);
  for (const LoggedConnection& connection : server.log().connections) EXPECT_FALSE(connection.resumed);
}

TEST_F(TlsTest, refuses_versions_below_the_minimum) {
  Listener& old_server = serve({.certificate = &server_certificate(), .version = "1.2"});
  const Client strict =
      make_client(tls_options().derive([](Options& o) { o.tls.minimum_version = TlsVersion::tls_1_3; }));
  const Result<Response> refused = strict.get(old_server.url());
  ASSERT_FAILS(refused, ErrorCode::tls_failed);
  EXPECT_EQ(refused.error().phase, Phase::tls);
}

// --- openssl s_server, for what Python cannot be talked into

class OpensslServer {
 public:
  explicit OpensslServer(std::vector<std::string> more) : port_(free_port()) {
    std::vector<std::string> command{"openssl", "s_server",
                                     "-accept", "127.0.0.1:" + std::to_string(port_),
                                     "-cert",   server_certificate().certificate_file,
                                     "-key",    server_certificate().key_file};
    command.insert(command.end(), more.begin(), more.end());
    process_ = std::make_unique<Process>(command);
    ready_ = !process_->read_until("ACCEPT\n").empty();
  }
  bool ready() const { return ready_; }
  Process& process() { return *process_; }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  int port_;
  bool ready_ = false;
  std::unique_ptr<Process> process_;
};

TEST_F(TlsTest, never_speaks_1_1) {
  OpensslServer server({"-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0", "-www"});
  ASSERT_TRUE(server.ready());
  EXPECT_FAILS(make_client(tls_options()).get(server.url()), ErrorCode::tls_failed);
}

TEST_F(TlsTest, talks_to_openssl) {
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    OpensslServer server({version, "-www"});
    ASSERT_TRUE(server.ready());
    const Result<Response> reply = make_client(tls_options()).get(server.url());
    ASSERT_STATUS(reply, 200);
    EXPECT_NE(reply->body.find("s_server"), std::string::npos);
  }
}

TEST_F(TlsTest, refuses_renegotiation) {
  OpensslServer server({"-tls1_2"});
  ASSERT_TRUE(server.ready());
  auto call = in_background([&, client = make_client(tls_options())] { return client.get(server.url()); });
  ASSERT_NE(server.process().read_until("\r\n\r\n"), "") << "the request did not arrive";
  server.process().write("R\n");  // HelloRequest
  server.process().write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n");
  const Result<Response> reply = call.get();
  // It may refuse and go on, or end; a second handshake on this connection would show in the server's output.
  if (reply) {
    EXPECT_EQ(reply->status, 200);
  } else {
    EXPECT_EQ(reply.error().kind, ErrorKind::disconnected) << describe(reply);
  }
  server.process().send_signal(SIGTERM);
  std::string output;
  server.process().wait(&output);
  EXPECT_EQ(output.find("-----BEGIN SSL SESSION PARAMETERS-----"),
            output.rfind("-----BEGIN SSL SESSION PARAMETERS-----"));
}

// --- names: subjectAltName only, wildcards in the left-most label only, addresses exactly

TEST_F(TlsTest, accepts_names_of_the_subject_alternative_name) {
  Listener& server = serve_names("DNS:one.test,DNS:*.wild.test,IP:127.0.0.1");
  EXPECT_STATUS(ask(server, "one.test"), 200);
  EXPECT_STATUS(ask(server, "ONE.test"), 200);
  EXPECT_STATUS(ask(server, "a.wild.test"), 200);
  EXPECT_STATUS(ask(server, "127.0.0.1"), 200);
  EXPECT_EQ(server.log().connections.at(0).sni, "one.test");
  EXPECT_EQ(server.log().connections.at(3).sni, "") << "an address is no server name";
}

TEST_F(TlsTest, refuses_names_that_only_look_alike) {
  Listener& server = serve_names("DNS:one.test,DNS:*.wild.test,DNS:f*.part.test,DNS:a.*.inner.test,DNS:*");
  for (const std::string host : {"two.test", "sub.one.test", "wild.test", "a.b.wild.test", "foo.part.test",
                                 "a.b.inner.test", "onextest", "one.test.evil.test"}) {
    SCOPED_TRACE(host);
    expect_untrusted(ask(server, host));
  }
}

TEST_F(TlsTest, never_looks_at_the_common_name) {
  expect_untrusted(ask(serve_names("", "localhost"), "localhost"));
  expect_untrusted(ask(serve_names("DNS:other.test", "localhost"), "localhost"));
  expect_untrusted(ask(serve_names("", "127.0.0.1"), "127.0.0.1"));
}

TEST_F(TlsTest, compares_addresses_exactly) {
  expect_untrusted(ask(serve_names("IP:127.0.0.2"), "127.0.0.1"));
  expect_untrusted(ask(serve_names("DNS:127.0.0.1"), "127.0.0.1"));
  expect_untrusted(ask(serve_names("DNS:*.0.0.1"), "127.0.0.1"));
  expect_untrusted(ask(serve_names("IP:127.0.0.1"), "localhost"));
}

TEST_F(TlsTest, a_nul_in_a_name_ends_nothing) {
  using namespace std::string_literals;
  certificates_.push_back(
      authority().issue({.common_name = "x", .names = "", .raw_dns_name = "localhost\0.evil.test"s}));
  expect_untrusted(ask(serve({.certificate = &certificates_.back()}), "localhost"));
}

TEST_F(TlsTest, the_server_name_option_replaces_the_host_for_both_sni_and_verification) {
  Listener& server = serve_names("DNS:inner.test");
  Options options = tls_options();
  options.tls.server_name = "inner.test";
  EXPECT_STATUS(ask(server, "127.0.0.1", options), 200);
  EXPECT_EQ(server.log().connections.at(0).sni, "inner.test");
  EXPECT_EQ(server.log().requests.at(0).field("Host"), "127.0.0.1:" + std::to_string(server.port()));
  options.tls.server_name = "other.test";
  expect_untrusted(ask(server, "inner.test", options));
}

// --- trust

TEST_F(TlsTest, refuses_certificates_that_are_expired_not_yet_valid_self_signed_or_of_a_stranger) {
  certificates_.push_back(authority().issue({.valid_from_days = -10, .valid_until_days = -1}));
  certificates_.push_back(authority().issue({.valid_from_days = 1, .valid_until_days = 10}));
  certificates_.push_back(other_authority().issue());
  std::vector<std::string> messages;
  for (const Certificate& certificate : certificates_) {
    const Result<Response> reply = make_client(tls_options()).get(serve({.certificate = &certificate}).url());
    expect_untrusted(reply);
    if (!reply) messages.push_back(reply.error().message);
  }
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_NE(messages[0].find("expired"), std::string::npos) << messages[0];
  EXPECT_NE(messages[1].find("not yet valid"), std::string::npos) << messages[1];
}

TEST_F(TlsTest, the_systems_roots_do_not_trust_us) {
  Listener& server = serve({.certificate = &server_certificate()});
  expect_untrusted(make_client(test_options()).get(server.url()));
}

TEST_F(TlsTest, a_failed_verification_is_not_remembered_as_a_success) {
  const Certificate bad = other_authority().issue();
  Listener& server = serve({.certificate = &bad});
  const Client client = make_client(tls_options());
  for (int i = 0; i < 3; ++i) expect_untrusted(client.get(server.url()));
  EXPECT_TRUE(server.log().requests.empty());
}

TEST_F(TlsTest, skip_verify_accepts_anything) {
  certificates_.push_back(other_authority().issue(
      {.common_name = "x", .names = "DNS:wrong.test", .valid_from_days = -9, .valid_until_days = -1}));
  Listener& server = serve({.certificate = &certificates_.back()});
  EXPECT_STATUS(
      make_client(test_options().derive([](Options& o) { o.tls.insecure_skip_verify = true; })).get(server.url()), 200);
}

TEST_F(TlsTest, takes_authorities_from_a_file_a_directory_or_memory) {
  Listener& server = serve({.certificate = &server_certificate()});
  test_files().write("hashed/ca.pem", authority().pem());
  const std::string directory = (test_files().path() / "hashed").string();
  ASSERT_EQ(Process({"openssl", "rehash", directory}).wait(), 0);
  EXPECT_STATUS(
      make_client(test_options().derive([&](Options& o) { o.tls.ca_directory = directory; })).get(server.url()), 200);
  EXPECT_STATUS(
      make_client(test_options().derive([](Options& o) { o.tls.ca_file = authority().file(); })).get(server.url()),
      200);
  const std::string both = other_authority().pem() + authority().pem();
  EXPECT_STATUS(make_client(test_options().derive([&](Options& o) { o.tls.ca_pem = both; })).get(server.url()), 200);
}

TEST_F(TlsTest, material_that_cannot_be_used_fails_every_request_with_the_reason) {
  Listener& server = serve({.certificate = &server_certificate()});
  const auto refused = [&](auto change) {
    Options options = tls_options();
    change(options.tls);
    const std::shared_ptr<Transport> transport = make_transport(options);
    const Result<void> ready = transport->ready();
    EXPECT_FALSE(ready);
    const Result<Response> reply = Client(transport).get(server.url());
    EXPECT_FAILS(reply, ErrorCode::invalid_options);
    return reply ? "" : reply.error().message;
  };
  EXPECT_NE(refused([](TlsOptions& t) { t.ca_file = "/does/not/exist.pem"; }).find("/does/not/exist.pem"),
            std::string::npos);
  refused([](TlsOptions& t) { t.certificate_file = "/does/not/exist.pem", t.key_file = "/neither.key"; });
  refused([](TlsOptions& t) { t.ca_file.clear(), t.ca_pem = "this is no PEM"; });
  refused([](TlsOptions& t) { t.certificate_pem = "nor this", t.key_pem = client_certificate().key; });
  refused([](TlsOptions& t) { t.certificate_pem = client_certificate().certificate; });
  refused([](TlsOptions& t) {
    t.certificate_pem = client_certificate().certificate;
    t.key_pem = server_certificate().key;
  });
  EXPECT_TRUE(server.log().requests.empty());
}

// --- client certificates

TEST_F(TlsTest, shows_its_certificate_from_files_or_memory_to_a_server_that_asks) {
  for (const std::string version : {"1.2", "1.3"}) {
    Listener& server =
        serve({.certificate = &server_certificate(), .client_ca = authority().file(), .version = version});
    Options files = tls_options();
    files.tls.certificate_file = client_certificate().certificate_file;
    files.tls.key_file = client_certificate().key_file;
    EXPECT_STATUS(make_client(files).get(server.url()), 200);
    Options memory = tls_options();
    memory.tls.certificate_pem = client_certificate().certificate;
    memory.tls.key_pem = client_certificate().key;
    EXPECT_STATUS(make_client(memory).get(server.url()), 200);
    for (const LoggedConnection& connection : server.log().connections) EXPECT_EQ(connection.client, "client");
  }
}

TEST_F(TlsTest, a_missing_or_foreign_client_certificate_is_an_error_that_says_so) {
  const Certificate foreign = other_authority().issue({.common_name = "stranger", .names = "DNS:stranger"});
  for (const std::string version : {"1.2", "1.3"}) {
    for (const Certificate* shown : {static_cast<const Certificate*>(nullptr), &foreign}) {
      Listener& server =
          serve({.certificate = &server_certificate(), .client_ca = authority().file(), .version = version});
      Options options = tls_options();
      if (shown != nullptr) options.tls.certificate_pem = shown->certificate, options.tls.key_pem = shown->key;
      const Result<Response> reply = make_client(options).get(server.url());
      ASSERT_FALSE(reply);
      // TLS 1.3 tells it only after the client's own handshake is done.
      EXPECT_TRUE(reply.error().kind == ErrorKind::unreachable || reply.error().kind == ErrorKind::disconnected)
          << describe(reply);
      EXPECT_NE(reply.error().message.find("alert"), std::string::npos) << version << ": " << describe(reply);
      EXPECT_TRUE(server.log().requests.empty());
    }
  }
}

// --- peers that are not what they should be

TEST_F(TlsTest, a_peer_that_does_not_speak_tls_is_a_typed_error) {
  Listener& garbage = serve({.scenario = "garbage_tls", .certificate = &server_certificate()});
  EXPECT_FAILS(make_client(tls_options()).get(garbage.url()), ErrorCode::tls_failed);
  Listener& closing = serve({.scenario = "accept_close", .certificate = &server_certificate()});
  const Result<Response> closed = make_client(tls_options()).get(closing.url());
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind, ErrorKind::unreachable) << describe(closed);
  EXPECT_EQ(closed.error().maybe_processed, MaybeProcessed::no);
}

// OpenSSL skips HelloRequests without counting them: not even the time limit, a timer of the loop, would end this.
TEST_F(TlsTest, a_handshake_without_an_end_does_not_hold_the_loop) {
  Listener& endless = serve({.scenario = "endless_tls", .certificate = &server_certificate()});
  const Result<Response> reply = make_client(tls_options()).get(endless.url());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::tls_failed) << describe(reply);
  EXPECT_NE(reply.error().message.find("without an end"), std::string::npos) << describe(reply);
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
}

TEST_F(TlsTest, clear_text_to_a_tls_port_is_a_typed_error) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Result<Response> reply = make_client().get("http" + server.url().substr(5));
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().kind == ErrorKind::broken_peer || reply.error().kind == ErrorKind::disconnected)
      << describe(reply);
}

TEST_F(TlsTest, a_body_that_runs_to_the_close_must_end_with_close_notify) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Client client = make_client(tls_options());
  const Result<Response> whole = client.get(server.raw("HTTP/1.1 200 OK\r\n\r\nall of it", "close=1"));
  ASSERT_STATUS(whole, 200);
  EXPECT_EQ(whole->body, "all of it");
  const Result<Response> cut = client.get(server.raw("HTTP/1.1 200 OK\r\n\r\nhalf of", "close=1&cut=1"));
  ASSERT_FAILS(cut, ErrorCode::truncated_body);
  EXPECT_EQ(cut.error().maybe_processed, MaybeProcessed::yes);
}

// One event tells of both, and half a record is no bytes to HTTP.
TEST_F(TlsTest, an_end_behind_half_a_record_is_heard) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Client client = make_client(tls_options().derive([](Options& o) { o.timeouts.total = seconds(5); }));
  std::promise<Result<Response>> answered;
  client.start(post(server.url("/scenario/cut_record"), "body"),
               [&](Result<Response> reply) { answered.set_value(std::move(reply)); });
  ASSERT_TRUE(server.wait_for("held", 1));
  ASSERT_TRUE(release_behind_the_loop(client, server));
  const Result<Response> reply = answered.get_future().get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::disconnected) << describe(reply);
}

TEST_F(TlsTest, says_goodbye_before_it_closes) {
  Listener& server = serve({.certificate = &server_certificate()});
  {
    const std::shared_ptr<Transport> transport = make_transport(tls_options());
    ASSERT_STATUS(Client(transport).get(server.url()), 200);
    transport->invalidate();
  }
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_EQ(server.log().connections.at(0).closed, "fin") << "FIN without close_notify";
}

// --- ALPN

TEST_F(TlsTest, takes_http_1_1_from_a_server_that_prefers_http_2_when_told_so) {
  Listener& server = serve({.certificate = &server_certificate(), .alpn = "h2,http/1.1"});
  const Options options = tls_options().derive([](Options& o) { o.protocol = Protocol::http1; });
  const Result<Response> reply = make_client(options).get(server.url());
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->connection.protocol, "http/1.1");
  for (const LoggedConnection& connection : server.log().connections) EXPECT_NE(connection.alpn, "h2");
}

TEST_F(TlsTest, large_bodies_cross_many_records_both_ways) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Client client = make_client(tls_options());
  const Result<Response> down = client.get(server.scenario("big", "size=20000000"));
  ASSERT_STATUS(down, 200);
  EXPECT_EQ(down->body, pattern(20000000));
  ASSERT_STATUS(client.post(server.url(), pattern(5000000)), 200);
  EXPECT_EQ(server.log().requests.back().body_bytes, 5000000);
  const auto source = std::make_shared<PatternSource>(5000000, false);
  ASSERT_STATUS(client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source))), 200);
  EXPECT_EQ(server.log().requests.back().body_bytes, 5000000);
  EXPECT_EQ(server.log().accepts, 1);
}

}  // namespace
}  // namespace trunkline::test
