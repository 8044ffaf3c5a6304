// Who may use whose sockets. Whatever changes the wire makes a new connection, and no TLS session crosses over;
// whatever doesn't, shares. All transports here are shared ones of the one process-wide pool, so that only the socket
// key keeps them apart.
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class IdentityTest : public HttpTest {
 protected:
  Result<Response> ask(const Options& options, const std::string& url) {
    return Client(shared_transport(options)).get(url);
  }

  // `b` finds the idle connection of `a` and does not take it, nor the other way round, nor a TLS session.
  void expect_apart(const Options& a, const Options& b, const Listener& server, const std::string& url) {
    const ServerLog before = server.log();
    const auto reused = [&](const Options& options) {
      const Result<Response> reply = ask(options, url);
      EXPECT_STATUS(reply, 200);
      return reply && reply->connection.reused;
    };
    EXPECT_FALSE(reused(a));
    EXPECT_FALSE(reused(b)) << "took the other's connection";
    EXPECT_TRUE(reused(a)) << "lost its own connection";
    EXPECT_TRUE(reused(b)) << "lost its own connection";
    const ServerLog after = server.log();
    EXPECT_EQ(after.accepts, before.accepts + 2);
    for (std::size_t i = before.connections.size(); i < after.connections.size(); ++i) {
      EXPECT_FALSE(after.connections[i].resumed) << "took the other's TLS session";
    }
    EXPECT_FALSE(compare(a, b).wire.empty());
  }
  void expect_apart(const Options& a, const Options& b, const Listener& server) {
    expect_apart(a, b, server, server.url());
  }
  void expect_together(const Options& a, const Options& b, const Listener& server) {
    const int before = server.log().accepts;
    EXPECT_STATUS(ask(a, server.url()), 200);
    EXPECT_STATUS(ask(b, server.url()), 200);
    EXPECT_STATUS(ask(a, server.url()), 200);
    EXPECT_EQ(server.log().accepts, before + 1);
    EXPECT_TRUE(compare(a, b).wire.empty());
    EXPECT_NE(Transport::shared(a)->fingerprint(), Transport::shared(b)->fingerprint());
  }
};

Options insecure() {
  return test_options().derive([](Options& o) { o.tls.insecure_skip_verify = true; });
}

Options with_certificate(const Certificate& certificate) {
  return tls_options().derive([&](Options& o) {
    o.tls.certificate_pem = certificate.certificate;
    o.tls.key_pem = certificate.key;
  });
}

// --- verification

TEST_F(IdentityTest, verified_and_unverified_never_meet_in_either_order) {
  Listener& server = serve({.certificate = &server_certificate()});
  expect_apart(insecure(), tls_options(), server);
  Listener& other = serve({.certificate = &server_certificate()});
  expect_apart(tls_options(), insecure(), other);
}

TEST_F(IdentityTest, an_unverified_connection_does_not_make_a_bad_certificate_good) {
  const Certificate bad = other_authority().issue();
  Listener& server = serve({.certificate = &bad});
  EXPECT_STATUS(ask(insecure(), server.url()), 200);
  EXPECT_FAILS(ask(tls_options(), server.url()), ErrorCode::tls_untrusted);
}

TEST_F(IdentityTest, another_authority_under_the_same_path_is_another_identity_without_resumption) {
  Listener& server = serve({.certificate = &server_certificate()});
  const std::string path = test_files().write("rotated/ca.pem", authority().pem());
  const Options options = test_options().derive([&](Options& o) { o.tls.ca_file = path; });
  const std::shared_ptr<Transport> before = shared_transport(options);
  EXPECT_STATUS(Client(before).get(server.url()), 200);
  test_files().write("rotated/ca.pem", other_authority().pem());
  const std::shared_ptr<Transport> after = shared_transport(options);
  EXPECT_NE(before->fingerprint(), after->fingerprint());
  EXPECT_FAILS(Client(after).get(server.url()), ErrorCode::tls_untrusted);
  EXPECT_STATUS(Client(before).get(server.url()), 200);  // made with the old content, which is still its identity
}

TEST_F(IdentityTest, an_authority_that_is_taken_from_a_set_is_gone_for_resumed_sessions_too) {
  Listener& server = serve({.certificate = &server_certificate()});
  const auto trusting = [&](const std::string& pem) {
    return test_options().derive([&](Options& o) { o.tls.ca_pem = pem; });
  };
  EXPECT_STATUS(ask(trusting(authority().pem() + other_authority().pem()), server.url()), 200);
  EXPECT_FAILS(ask(trusting(other_authority().pem()), server.url()), ErrorCode::tls_untrusted);
}

TEST_F(IdentityTest, the_same_authorities_from_a_file_and_from_memory_both_work) {
  const Options file = tls_options();
  const Options memory = test_options().derive([](Options& o) { o.tls.ca_pem = authority().pem(); });
  Listener& server = serve({.certificate = &server_certificate()});
  EXPECT_STATUS(ask(file, server.url()), 200);
  EXPECT_STATUS(ask(memory, server.url()), 200);
  EXPECT_EQ(server.log().accepts, 2) << "where they come from is part of the identity";
}

// --- client certificates

TEST_F(IdentityTest, client_certificates_keep_connections_apart) {
  const Certificate alice = authority().issue({.common_name = "alice", .names = "DNS:alice"});
  const Certificate bob = authority().issue({.common_name = "bob", .names = "DNS:bob"});
  const Certificate alice_again = authority().issue({.common_name = "alice", .names = "DNS:alice"}, alice);
  const Certificate alice_new_key = authority().issue({.common_name = "alice", .names = "DNS:alice"});
  const Serve how{.certificate = &server_certificate(), .client_ca = authority().file()};
  expect_apart(with_certificate(alice), with_certificate(bob), serve(how));
  expect_apart(with_certificate(alice), with_certificate(alice_again), serve(how));
  expect_apart(with_certificate(alice), with_certificate(alice_new_key), serve(how));
  expect_apart(tls_options(), with_certificate(alice), serve({.certificate = &server_certificate()}));
}

TEST_F(IdentityTest, the_server_sees_the_certificate_that_the_caller_meant) {
  const Certificate alice = authority().issue({.common_name = "alice", .names = "DNS:alice"});
  const Certificate bob = authority().issue({.common_name = "bob", .names = "DNS:bob"});
  Listener& server = serve({.certificate = &server_certificate(), .client_ca = authority().file()});
  for (int i = 0; i < 6; ++i)
    EXPECT_STATUS(ask(with_certificate(i % 2 == 0 ? alice : bob), server.url(i % 2 == 0 ? "/alice" : "/bob")), 200);
  const ServerLog log = server.log();
  for (const LoggedRequest& request : log.requests) {
    EXPECT_EQ("/" + log.connections.at(static_cast<std::size_t>(request.connection) - 1).client, request.target);
  }
}

TEST_F(IdentityTest, rotated_content_under_the_same_path_is_a_new_identity) {
  const Certificate old_one = authority().issue({.common_name = "old", .names = "DNS:old"});
  const Certificate new_one = authority().issue({.common_name = "new", .names = "DNS:new"});
  Listener& server = serve({.certificate = &server_certificate(), .client_ca = authority().file()});
  Options options = tls_options();
  options.tls.certificate_file = test_files().write("rotated/me.pem", old_one.certificate);
  options.tls.key_file = test_files().write("rotated/me.key", old_one.key);
  EXPECT_STATUS(ask(options, server.url()), 200);
  test_files().write("rotated/me.pem", new_one.certificate);
  test_files().write("rotated/me.key", new_one.key);
  EXPECT_STATUS(ask(options, server.url()), 200);
  const ServerLog log = server.log();
  ASSERT_EQ(log.accepts, 2);
  EXPECT_EQ(log.connections[0].client, "old");
  EXPECT_EQ(log.connections[1].client, "new");
  EXPECT_FALSE(log.connections[1].resumed);
}

TEST_F(IdentityTest, a_certificate_with_the_key_of_another_is_refused) {
  Listener& server = serve({.certificate = &server_certificate()});
  Options options = with_certificate(client_certificate());
  options.tls.key_pem = server_certificate().key;
  EXPECT_FAILS(ask(options, server.url()), ErrorCode::invalid_options);
  EXPECT_FALSE(transport()->ready());
  EXPECT_TRUE(server.log().requests.empty());
}

// --- the rest of the wire

TEST_F(IdentityTest, server_names_and_versions_keep_connections_apart) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Options named = tls_options().derive([](Options& o) { o.tls.server_name = "localhost"; });
  const Options new_only = tls_options().derive([](Options& o) { o.tls.minimum_version = TlsVersion::tls_1_3; });
  const Options unresumed = tls_options().derive([](Options& o) { o.tls.session_resumption = false; });
  expect_apart(tls_options(), named, server);
  expect_apart(tls_options().derive([](Options& o) { o.protocol = Protocol::http1; }), new_only, server);
  expect_apart(named.derive([](Options& o) { o.protocol = Protocol::http1; }), unresumed, server);
}

TEST_F(IdentityTest, protocol_modes_keep_connections_apart) {
  Listener& server = serve({.certificate = &server_certificate(), .alpn = "http/1.1"});
  expect_apart(tls_options(), tls_options().derive([](Options& o) { o.protocol = Protocol::http1; }), server);
}

TEST_F(IdentityTest, bind_addresses_keep_connections_apart) {
  Listener& server = serve();
  expect_apart(test_options(), test_options().derive([](Options& o) { o.bind_address = "127.0.0.9"; }), server);
  EXPECT_EQ(server.log().connections.at(1).peer, "127.0.0.9");
}

TEST_F(IdentityTest, resolver_overrides_keep_connections_apart) {
  Listener& server = serve();
  const std::string host = "localhost:" + std::to_string(server.port());
  const Options overridden = test_options().derive([&](Options& o) { o.resolve = {{host, "127.0.0.1"}}; });
  expect_apart(test_options().derive([&](Options& o) { o.bind_address = "127.0.0.1"; }), overridden, server,
               "http://" + host + "/");
}

TEST_F(IdentityTest, resolver_overrides_hold_however_their_host_is_spelt) {
  Listener& server = serve();
  const std::string port = ":" + std::to_string(server.port());
  const Options named = test_options().derive([&](Options& o) {
    o.resolve = {{"Far.Invalid." + port, "127.0.0.1"}, {"[2001:0DB8:0::1]" + port, "127.0.0.1"}};
  });
  EXPECT_STATUS(ask(named, "http://far.invalid" + port + "/"), 200);
  EXPECT_STATUS(ask(named, "http://[2001:db8::1]" + port + "/"), 200);
}

TEST_F(IdentityTest, clear_text_and_tls_on_one_port_never_meet) {
  Listener& server = serve({.certificate = &server_certificate(), .tls_optional = true});
  const std::string rest = "://127.0.0.1:" + std::to_string(server.port()) + "/";
  EXPECT_STATUS(ask(tls_options(), "http" + rest), 200);
  EXPECT_STATUS(ask(tls_options(), "https" + rest), 200);
  EXPECT_STATUS(ask(tls_options(), "http" + rest), 200);
  EXPECT_STATUS(ask(tls_options(), "https" + rest), 200);
  const ServerLog log = server.log();
  EXPECT_EQ(log.accepts, 2);
  EXPECT_EQ(log.connections.at(0).tls, "");
  EXPECT_NE(log.connections.at(1).tls, "");
}

TEST_F(IdentityTest, proxies_and_their_credentials_keep_connections_apart) {
  Listener& proxy = serve({.scenario = "proxy"});
  const auto through = [&](const std::string& user) {
    return test_options().derive(
        [&](Options& o) { o.proxy = "http://" + user + "127.0.0.1:" + std::to_string(proxy.port()); });
  };
  const std::string url = "http://origin.example/";
  expect_apart(through(""), through("alice:s3cret@"), proxy, url);
  expect_apart(through("bob:s3cret@"), through("bob:other@"), proxy, url);
  for (const LoggedRequest& request : proxy.log().requests) EXPECT_EQ(request.target, url);
}

TEST_F(IdentityTest, hosts_that_are_written_differently_share_and_different_hosts_do_not) {
  Listener& server = serve();
  const Options options = test_options();
  EXPECT_STATUS(ask(options, server.url("LOCALHOST", "/")), 200);
  EXPECT_STATUS(ask(options, server.url("localhost", "/")), 200);
  EXPECT_EQ(server.log().accepts, 1);
  EXPECT_STATUS(ask(options, server.url("127.0.0.1", "/")), 200);
  EXPECT_EQ(server.log().accepts, 2);
  // With the dot no search list is asked, so that it may well be another machine.
  EXPECT_STATUS(ask(options, server.url("localhost.", "/")), 200);
  EXPECT_EQ(server.log().accepts, 3);
}

// --- what does not change the wire

TEST_F(IdentityTest, timeouts_limits_and_other_settings_of_the_handle_share_sockets) {
  Listener& server = serve({.certificate = &server_certificate()});
  const Options base = tls_options();
  expect_together(base, base.derive([](Options& o) { o.timeouts.first_byte = seconds(7); }), server);
  server.tell("fin");
  ASSERT_TRUE(server.wait_for_exactly("open", 0));
  ASSERT_TRUE(eventually([&] { return route_counters(server.port()).open == 0; }));
  expect_together(base, base.derive([](Options& o) {
    o.limits.idle_per_host = 3;
    o.response.header_count = 7;
    o.retry_stale = false;
    o.user_agent = "other";
  }),
                  server);
}

TEST_F(IdentityTest, a_connection_outlives_the_handle_that_made_it) {
  Listener& server = serve({.certificate = &server_certificate()});
  const auto called = [](int number) {
    return tls_options().derive([&](Options& o) { o.user_agent = "short-lived " + std::to_string(number); });
  };
  std::weak_ptr<Transport> gone;
  {
    const std::shared_ptr<Transport> first = Transport::shared(called(0));
    EXPECT_STATUS(Client(first).get(server.url()), 200);
    EXPECT_STATUS(ask(tls_options(), server.url()), 200);
    gone = first;
  }
  // The cache forgets what was used longest ago and nobody holds.
  for (int i = 1; !gone.expired() && i < 10'000; ++i) EXPECT_TRUE(Transport::shared(called(i))->ready());
  ASSERT_TRUE(gone.expired());
  EXPECT_STATUS(ask(tls_options(), server.url()), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

// --- the serialisation behind the fingerprint

TEST_F(IdentityTest, no_two_options_have_one_fingerprint_however_they_are_crafted) {
  const auto changed = [](auto change) {
    Options options;
    change(options);
    return Transport::create(options)->fingerprint();
  };
  const std::vector<std::string> fingerprints{
      changed([](Options&) {}),
      changed([](Options& o) { o.user_agent.clear(); }),
      changed([](Options& o) { o.user_agent = "a"; }),
      changed([](Options& o) { o.user_agent = "a "; }),
      changed([](Options& o) { o.user_agent = "a|b"; }),
      changed([](Options& o) { o.bind_address = "127.0.0.1"; }),
      changed([](Options& o) { o.tls.server_name = "127.0.0.1"; }),
      changed([](Options& o) { o.tls.server_name = "a", o.bind_address = "::1"; }),
      changed([](Options& o) { o.resolve = {{"a:1", "127.0.0.1"}, {"b:1", "127.0.0.1"}}; }),
      changed([](Options& o) { o.resolve = {{"a:1", "127.0.0.1"}}; }),
      changed([](Options& o) { o.proxy = "http://p:1"; }),
      changed([](Options& o) { o.proxy = "http://u@p:1"; }),
      changed([](Options& o) { o.proxy = "http://u:v@p:1"; }),
      changed([](Options& o) { o.proxy = "http://u:v%3A@p:1"; }),
      changed([](Options& o) { o.proxy = "http://uv:@p:1"; }),
      changed([](Options& o) { o.proxy = "http://v:u@p:1"; }),
      changed([](Options& o) { o.timeouts.total = seconds(1); }),
      changed([](Options& o) { o.timeouts.first_byte = seconds(1); }),
  };
  for (std::size_t i = 0; i < fingerprints.size(); ++i) {
    EXPECT_EQ(fingerprints[i].size(), 64U);
    for (std::size_t j = i + 1; j < fingerprints.size(); ++j)
      EXPECT_NE(fingerprints[i], fingerprints[j]) << i << " and " << j;
  }
}

// --- secrets stay where they are

TEST_F(IdentityTest, secrets_are_in_no_key_label_or_message) {
  Listener& proxy = serve({.scenario = "proxy", .settings = {{"connect", "refuse"}}});
  Options options = with_certificate(client_certificate());
  options.proxy = "http://user:s3cret@127.0.0.1:" + std::to_string(proxy.port());
  const std::shared_ptr<Transport> transport = shared_transport(options);
  const Client client(transport);
  EXPECT_STATUS(client.get("http://u:s3cret@origin.example/?token=s3cret"), 200);
  const Result<Response> refused = client.get("https://origin.example/");
  ASSERT_FALSE(refused);
  const Stats now = transport->stats();
  const std::string key_line = client_certificate().key.substr(30, 40);
  for (const std::string& text :
       {now.to_json(), now.to_prometheus(), refused.error().describe(), transport->fingerprint()}) {
    EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
    EXPECT_EQ(text.find("czNjcmV0"), std::string::npos) << "in base64: " << text;
    EXPECT_EQ(text.find("PRIVATE KEY"), std::string::npos);
    EXPECT_EQ(text.find(key_line), std::string::npos);
  }
}

TEST_F(IdentityTest, the_number_of_labels_is_bounded) {
  const std::shared_ptr<Transport> transport =
      make_transport(test_options().derive([](Options& o) { o.timeouts.connect = seconds(2); }));
  for (int i = 1; i <= 150; ++i) {
    EXPECT_FALSE(Client(transport).get("http://127.0.9." + std::to_string(i) + ":1/"));
  }
  const Stats now = transport->stats();
  EXPECT_LE(now.routes.size(), 100U);
  EXPECT_EQ(now.routes.size() + now.routes_left_out, 150U);
}

}  // namespace
}  // namespace trunkline::test
