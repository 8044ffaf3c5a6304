#include "net/tls.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>

#include <array>

#include "net/openssl.h"
#include "net/peers.h"

namespace trunkline::net {
namespace {

using peers::Authority;
using peers::Certificate;
using peers::echo;
using peers::TlsServer;
using peers::TlsServerSetup;
using peers::Wish;

TlsMaterial trusting(const Authority& authority) {
  TlsMaterial material;
  material.system_roots = false;
  material.ca_pem = authority.pem();
  return material;
}

std::shared_ptr<TlsContext> context_of(const TlsMaterial& material) {
  auto context = make_tls_context(material);
  EXPECT_TRUE(context) << context.error().message;
  return context ? *context : nullptr;
}

TlsStream::Step shake(TlsStream& stream) {
  for (;;) {
    const auto step = stream.handshake(Scratch::of_this_thread());
    if (step != TlsStream::Step::again) return step;
    if (!peers::wait_for(stream.fd(), POLLIN)) return step;
  }
}

struct Dialled {
  std::unique_ptr<TlsStream> stream;
  TlsStream::Step step;
  std::string why;
};

Dialled dial_tls(std::uint16_t port, const TlsMaterial& material, const std::string& name = "localhost",
                 std::shared_ptr<TlsSessions> sessions = nullptr, const std::vector<std::string>& alpn = {}) {
  Dialled dialled;
  dialled.stream =
      make_tls_stream(make_tcp_stream(peers::connect_to(port)), context_of(material), name, alpn, std::move(sessions));
  dialled.step = shake(*dialled.stream);
  dialled.why = dialled.stream->failure();
  return dialled;
}

ReadResult read_next(Stream& stream) {
  for (;;) {
    const ReadResult got = stream.read(Scratch::of_this_thread());
    if (got.io != Io::again || !peers::wait_for(stream.fd(), POLLIN)) return got;
  }
}

std::string read_exactly(Stream& stream, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const ReadResult got = read_next(stream);
    if (got.io != Io::ok) return "the stream ended after " + std::to_string(bytes.size()) + " bytes";
    bytes += got.bytes;
  }
  return bytes;
}

WriteResult write_text(Stream& stream, std::string_view text) { return stream.write({&text, 1}); }

std::string numbers(std::size_t size) {
  std::string text;
  text.reserve(size + 16);
  while (text.size() < size) text += std::to_string(text.size()) + " ";
  text.resize(size);
  return text;
}

class Tls : public testing::TestWithParam<int> {
 protected:
  TlsServerSetup setup(const Wish& wish = {}) const { return {authority_.issue(wish), GetParam(), {}, {}, 0}; }
  const Authority authority_;
};

INSTANTIATE_TEST_SUITE_P(Version, Tls, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) { return version.param == TLS1_2_VERSION ? "tls_1_2" : "tls_1_3"; });

TEST_P(Tls, carries_bytes_both_ways) {
  const TlsServer server(setup(), echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority_));
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  EXPECT_TRUE(stream->description().starts_with(GetParam() == TLS1_2_VERSION ? "TLSv1.2 " : "TLSv1.3 "));
  EXPECT_EQ(stream->alpn(), "");
  const std::uint64_t before = stream->bytes_sent();
  const std::string_view parts[] = {"hel", "", "lo ", "world"};
  const WriteResult written = stream->write(parts);
  EXPECT_EQ(written.io, Io::ok);
  EXPECT_EQ(written.accepted, 11u);
  // One record, because it costs less: 11 bytes and at most 29 more.
  EXPECT_LE(stream->bytes_sent() - before, 11u + 29u);
  EXPECT_EQ(read_exactly(*stream, 11), "hello world");
  EXPECT_FALSE(stream->has_pending_output());
}

TEST_P(Tls, says_that_it_is_drained_and_then_waits) {
  const TlsServer server(setup(), echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority_));
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  write_text(*stream, "x");
  const ReadResult got = read_next(*stream);
  EXPECT_EQ(got.bytes, "x");
  EXPECT_TRUE(got.drained);
  EXPECT_FALSE(stream->has_buffered_input());
  EXPECT_EQ(stream->read(Scratch::of_this_thread()).io, Io::again);
}

TEST_P(Tls, resumes_a_session_and_says_so) {
  const TlsServer server(setup(), echo);
  const auto sessions = std::make_shared<TlsSessions>();
  for (int i = 0; i < 3; ++i) {
    auto [stream, step, why] = dial_tls(server.port(), trusting(authority_), "localhost", sessions);
    ASSERT_EQ(step, TlsStream::Step::done) << why;
    EXPECT_EQ(stream->description().ends_with(", resumed"), i > 0);
    write_text(*stream, "x");
    EXPECT_EQ(read_exactly(*stream, 1), "x");  // with TLS 1.3, tickets come before the first data
    if (i == 0) stream->farewell();            // one says goodbye, the other breaks off: both may be resumed
  }
  EXPECT_EQ(server.resumed(), 2);
}

TEST_P(Tls, does_not_resume_when_told_not_to) {
  const TlsServer server(setup(), echo);
  const auto sessions = std::make_shared<TlsSessions>();
  TlsMaterial material = trusting(authority_);
  material.session_resumption = false;
  for (int i = 0; i < 2; ++i) {
    auto [stream, step, why] = dial_tls(server.port(), material, "localhost", sessions);
    ASSERT_EQ(step, TlsStream::Step::done) << why;
    write_text(*stream, "x");
    EXPECT_EQ(read_exactly(*stream, 1), "x");
  }
  EXPECT_EQ(server.resumed(), 0);
  EXPECT_TRUE(sessions->impl().newest_first.empty());
}

TEST_P(Tls, refuses_a_resumed_session_of_another_name) {
  const TlsServer server(setup(), echo);
  const auto sessions = std::make_shared<TlsSessions>();
  {
    auto [stream, step, why] = dial_tls(server.port(), trusting(authority_), "localhost", sessions);
    ASSERT_EQ(step, TlsStream::Step::done) << why;
    write_text(*stream, "x");
    read_exactly(*stream, 1);
  }
  // The pool never mixes keys like this. If it did, resumption must not get around the check.
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority_), "other.example", sessions);
  EXPECT_EQ(step, TlsStream::Step::failed);
  EXPECT_TRUE(stream->untrusted()) << why;
}

TEST_P(Tls, refuses_an_unknown_authority) {
  const TlsServer server(setup(), echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(Authority("another")));
  EXPECT_EQ(step, TlsStream::Step::failed);
  EXPECT_TRUE(stream->untrusted());
  EXPECT_NE(why.find("unable to get local issuer certificate"), std::string::npos) << why;
  EXPECT_NE(why.find("CN = test server"), std::string::npos) << why;
}

TEST_P(Tls, trusts_the_system_and_not_a_private_authority_by_default) {
  const TlsServer server(setup(), echo);
  auto [stream, step, why] = dial_tls(server.port(), TlsMaterial());
  EXPECT_EQ(step, TlsStream::Step::failed);
  EXPECT_TRUE(stream->untrusted()) << why;
}

TEST_P(Tls, accepts_anything_when_told_to_skip_verification) {
  Wish wish;
  wish.names = "DNS:elsewhere.example";
  wish.valid_until_s = -60;
  const TlsServer server(setup(wish), echo);
  TlsMaterial material;
  material.verify = false;
  auto [stream, step, why] = dial_tls(server.port(), material);
  EXPECT_EQ(step, TlsStream::Step::done) << why;
}

TEST_P(Tls, pins_a_server_certificate_that_is_named_as_trusted_itself) {
  TlsServerSetup own = setup();
  TlsMaterial material;
  material.system_roots = false;
  material.ca_pem = own.certificate.pem();
  const TlsServer server(own, echo);
  auto [stream, step, why] = dial_tls(server.port(), material);
  EXPECT_EQ(step, TlsStream::Step::done) << why;
}

TEST_P(Tls, shows_a_client_certificate_to_a_server_that_wants_one) {
  const Authority clients("clients");
  const Certificate mine = clients.issue();
  TlsServerSetup strict = setup();
  strict.client_ca_pem = clients.pem();
  const TlsServer server(strict, echo);
  TlsMaterial material = trusting(authority_);
  material.certificate_pem = mine.pem();
  material.key_pem = mine.key_pem();
  auto [stream, step, why] = dial_tls(server.port(), material);
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  write_text(*stream, "x");
  EXPECT_EQ(read_exactly(*stream, 1), "x");
}

TEST_P(Tls, says_that_the_server_wants_a_client_certificate) {
  TlsServerSetup strict = setup();
  strict.client_ca_pem = Authority("clients").pem();
  const TlsServer server(strict, echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority_));
  if (GetParam() == TLS1_2_VERSION) {
    EXPECT_EQ(step, TlsStream::Step::failed);
    EXPECT_FALSE(stream->untrusted());
    EXPECT_NE(why.find("handshake failure"), std::string::npos) << why;
    return;
  }
  // TLS 1.3 lets the client finish first: the refusal is what it reads.
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  const ReadResult got = read_next(*stream);
  EXPECT_EQ(got.io, Io::failed);
  EXPECT_NE(got.error.message().find("certificate required"), std::string::npos) << got.error.message();
}

TEST_P(Tls, tells_an_orderly_end_from_a_cut) {
  for (const bool orderly : {true, false}) {
    const TlsServer server(setup(), [orderly](SSL* ssl) {
      SSL_write(ssl, "last words", 10);
      if (orderly) SSL_shutdown(ssl);
    });
    auto [stream, step, why] = dial_tls(server.port(), trusting(authority_));
    ASSERT_EQ(step, TlsStream::Step::done) << why;
    EXPECT_EQ(read_exactly(*stream, 10), "last words");
    EXPECT_EQ(read_next(*stream).io, orderly ? Io::closed : Io::cut);
    EXPECT_EQ(read_next(*stream).io, orderly ? Io::closed : Io::cut);
  }
}

TEST_P(Tls, says_goodbye) {
  std::promise<int> shutdown;
  auto future = shutdown.get_future();
  const TlsServer server(setup(), [&](SSL* ssl) {
    char byte;
    SSL_read(ssl, &byte, 1);
    shutdown.set_value(SSL_get_shutdown(ssl));
  });
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority_));
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  stream->farewell();
  stream.reset();
  ASSERT_TRUE(peers::arrived(future));
  EXPECT_TRUE(future.get() & SSL_RECEIVED_SHUTDOWN);
}

TEST_P(Tls, moves_megabytes_through_tiny_sockets) {
  TlsServerSetup small = setup();
  small.buffer_bytes = 4096;
  const TlsServer server(small, echo);
  auto stream = make_tls_stream(make_tcp_stream(peers::connect_to(server.port(), 4096)),
                                context_of(trusting(authority_)), "localhost", {}, nullptr);
  ASSERT_EQ(shake(*stream), TlsStream::Step::done) << stream->failure();

  const std::string bytes = numbers(1 << 20);
  std::string got;
  std::size_t sent = 0;
  bool kept = false;
  while (got.size() < bytes.size()) {
    if (stream->has_pending_output()) {
      kept = true;
      ASSERT_NE(stream->flush().io, Io::failed);
    }
    if (sent < bytes.size()) {
      const std::string_view rest = std::string_view(bytes).substr(sent);
      const std::string_view parts[] = {rest.substr(0, rest.size() / 3), rest.substr(rest.size() / 3)};
      const WriteResult written = stream->write(parts);
      ASSERT_NE(written.io, Io::failed) << written.error.message();
      // What is accepted although the socket is full has a bound.
      EXPECT_LE(written.accepted, 256u * 1024);
      sent += written.accepted;
    }
    const ReadResult back = stream->read(Scratch::of_this_thread());
    if (back.io == Io::ok) {
      got += back.bytes;
      continue;
    }
    ASSERT_EQ(back.io, Io::again);
    const bool writing = sent < bytes.size() || stream->has_pending_output();
    ASSERT_TRUE(peers::wait_for(stream->fd(), static_cast<short>(POLLIN | (writing ? POLLOUT : 0))));
  }
  EXPECT_TRUE(got == bytes);
  EXPECT_TRUE(kept);
}

TEST_P(Tls, refuses_more_output_while_the_peer_reads_nothing) {
  std::promise<void> go;
  const TlsServer server(setup(), [&, gate = go.get_future().share()](SSL*) { gate.wait(); });
  auto stream = make_tls_stream(make_tcp_stream(peers::connect_to(server.port(), 4096)),
                                context_of(trusting(authority_)), "localhost", {}, nullptr);
  ASSERT_EQ(shake(*stream), TlsStream::Step::done) << stream->failure();
  const std::string bytes(64 << 20, 'x');
  std::size_t accepted = 0;
  WriteResult written;
  do {
    written = write_text(*stream, bytes);
    accepted += written.accepted;
  } while (written.io == Io::ok);
  EXPECT_EQ(written.io, Io::again);
  EXPECT_EQ(written.accepted, 0u);
  EXPECT_TRUE(stream->has_pending_output());
  EXPECT_LE(accepted - stream->bytes_sent(), 200u * 1024);
  go.set_value();
}

TEST_P(Tls, carries_tls_in_tls) {
  // The outer server forwards between its own TLS and an inner server, as a proxy reached over TLS does.
  const Authority inner_authority("inner");
  const TlsServer inner({inner_authority.issue(), GetParam(), {}, {}, 0}, echo);
  const TlsServer outer(setup(), [&](SSL* ssl) {
    const peers::Socket to_inner(peers::connect_to(inner.port()));
    forget_descriptor(to_inner.fd());
    char buffer[16 * 1024];
    for (;;) {
      pollfd entries[] = {{SSL_get_fd(ssl), POLLIN, 0}, {to_inner.fd(), POLLIN, 0}};
      if (!SSL_pending(ssl) && ::poll(entries, 2, peers::patience_ms) < 1) return;
      if (SSL_pending(ssl) || entries[0].revents) {
        const int size = SSL_read(ssl, buffer, sizeof buffer);
        if (size <= 0) return;
        to_inner.send({buffer, static_cast<std::size_t>(size)});
      } else {
        const ssize_t size = ::recv(to_inner.fd(), buffer, sizeof buffer, 0);
        if (size <= 0) return;
        SSL_write(ssl, buffer, static_cast<int>(size));
      }
    }
  });
  auto [lower, lower_step, lower_why] = dial_tls(outer.port(), trusting(authority_));
  ASSERT_EQ(lower_step, TlsStream::Step::done) << lower_why;
  auto upper = make_tls_stream(std::move(lower), context_of(trusting(inner_authority)), "localhost", {}, nullptr);
  ASSERT_EQ(shake(*upper), TlsStream::Step::done) << upper->failure();
  for (const std::size_t size : {1u, 1000u, 40'000u}) {
    const std::string bytes = numbers(size);
    EXPECT_EQ(write_text(*upper, bytes).accepted, size);
    EXPECT_TRUE(read_exactly(*upper, size) == bytes);
  }
}

TEST_P(Tls, agrees_on_a_protocol_that_was_offered) {
  TlsServerSetup speaks = setup();
  speaks.alpn = "http/1.1";
  const TlsServer server(speaks, echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority_), "localhost", nullptr, {"h2", "http/1.1"});
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  EXPECT_EQ(stream->alpn(), "http/1.1");
}

TEST_P(Tls, refuses_a_protocol_that_was_not_offered) {
  TlsServerSetup speaks = setup();
  speaks.alpn = "h2";
  const TlsServer server(speaks, echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority_), "localhost", nullptr, {"http/1.1"});
  EXPECT_EQ(step, TlsStream::Step::failed);
  EXPECT_FALSE(why.empty());
}

TEST_P(Tls, stays_alive_without_the_handles_that_made_it) {
  const TlsServer server(setup(), echo);
  std::unique_ptr<TlsStream> stream;
  {
    auto lazy = std::make_unique<LazyTlsContext>(trusting(authority_));
    EXPECT_FALSE(lazy->ready());
    auto context = lazy->get();
    ASSERT_TRUE(context);
    EXPECT_TRUE(lazy->ready());
    stream = make_tls_stream(make_tcp_stream(peers::connect_to(server.port())), *context, "localhost", {},
                             std::make_shared<TlsSessions>());
  }
  ASSERT_EQ(shake(*stream), TlsStream::Step::done) << stream->failure();
  write_text(*stream, "x");
  EXPECT_EQ(read_exactly(*stream, 1), "x");
}

// Which names a certificate is good for.
struct NameCase {
  const char* names;  // in the certificate
  const char* common_name;
  const char* wanted;
  bool good;
};

class TlsName : public testing::TestWithParam<NameCase> {};

INSTANTIATE_TEST_SUITE_P(
    Rules, TlsName,
    testing::Values(NameCase{"DNS:a.example", "x", "a.example", true},           //
                    NameCase{"DNS:a.example", "x", "A.Example", true},           //
                    NameCase{"DNS:a.example", "x", "a.example.", true},          // SNI and SAN have no trailing dot
                    NameCase{"DNS:a.example", "x", "b.example", false},          //
                    NameCase{"DNS:a.example", "x", "a.example.evil", false},     //
                    NameCase{"", "a.example", "a.example", false},               // a common name is not a name
                    NameCase{"DNS:b.example", "a.example", "a.example", false},  //
                    NameCase{"DNS:*.example.com", "x", "a.example.com", true},   //
                    NameCase{"DNS:*.example.com", "x", "a.b.example.com", false},
                    NameCase{"DNS:*.example.com", "x", "example.com", false},
                    NameCase{"DNS:a*.example.com", "x", "ab.example.com", false},
                    NameCase{"DNS:*a.example.com", "x", "ba.example.com", false},
                    NameCase{"DNS:a.*.example.com", "x", "a.b.example.com", false},
                    NameCase{"DNS:*", "x", "localhost", false},          //
                    NameCase{"IP:127.0.0.1", "x", "127.0.0.1", true},    //
                    NameCase{"IP:127.0.0.2", "x", "127.0.0.1", false},   //
                    NameCase{"DNS:127.0.0.1", "x", "127.0.0.1", false},  // an IP address is not a name
                    NameCase{"IP:::1", "x", "::1", true},                //
                    NameCase{"IP:fe80::1", "x", "fe80::1%lo", true},     // a zone is this machine's affair
                    NameCase{"DNS:*.0.0.1", "x", "127.0.0.1", false},    //
                    NameCase{"DNS:localhost", "x", "", false}));         // no name would mean no check

TEST_P(TlsName, is_checked_against_the_alternative_names) {
  const NameCase& row = GetParam();
  const Authority authority;
  Wish wish;
  wish.names = row.names;
  wish.common_name = row.common_name;
  const TlsServer server({authority.issue(wish), 0, {}, {}, 0}, echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority), row.wanted);
  EXPECT_EQ(step == TlsStream::Step::done, row.good) << row.names << " against " << row.wanted << ": " << why;
}

TEST(TlsTrust, says_for_whom_a_certificate_is_when_the_name_is_wrong) {
  const Authority authority;
  Wish wish;
  wish.names = "DNS:a.example,DNS:*.b.example,IP:10.0.0.1";
  const TlsServer server({authority.issue(wish), 0, {}, {}, 0}, echo);
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority), "c.example");
  EXPECT_EQ(step, TlsStream::Step::failed);
  EXPECT_TRUE(stream->untrusted());
  EXPECT_EQ(why, "the certificate is not for c.example but for a.example, *.b.example, 10.0.0.1");
}

TEST(TlsTrust, ends_with_the_certificates_time) {
  const Authority authority;
  for (const bool expired : {true, false}) {
    Wish wish;
    wish.valid_from_s = expired ? -7200 : 3600;
    wish.valid_until_s = expired ? -3600 : 7200;
    const TlsServer server({authority.issue(wish), 0, {}, {}, 0}, echo);
    auto [stream, step, why] = dial_tls(server.port(), trusting(authority));
    EXPECT_EQ(step, TlsStream::Step::failed);
    EXPECT_TRUE(stream->untrusted());
    EXPECT_NE(why.find(expired ? "certificate has expired" : "not yet valid"), std::string::npos) << why;
  }
}

TEST(TlsHandshake, refuses_an_older_version_than_the_minimum) {
  const Authority authority;
  const TlsServer server({authority.issue(), TLS1_2_VERSION, {}, {}, 0}, echo);
  TlsMaterial material = trusting(authority);
  material.minimum_version = TlsVersion::tls_1_3;
  auto [stream, step, why] = dial_tls(server.port(), material);
  EXPECT_EQ(step, TlsStream::Step::failed);
  EXPECT_FALSE(stream->untrusted());
  EXPECT_FALSE(why.empty());
}

TEST(TlsHandshake, says_what_went_wrong_with_a_peer_that_does_not_speak_it) {
  const Authority authority;
  for (const char* answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", ""}) {
    const peers::Listener listener;
    auto stream = make_tls_stream(make_tcp_stream(peers::connect_to(listener.port())), context_of(trusting(authority)),
                                  "localhost", {}, nullptr);
    peers::Socket peer = listener.accept();
    EXPECT_EQ(stream->handshake(Scratch::of_this_thread()), TlsStream::Step::again);
    peer.receive();
    peer.send(answer);
    peer.close();
    EXPECT_EQ(shake(*stream), TlsStream::Step::failed);
    const char* expected = *answer ? "not TLS" : "closed the connection during the handshake";
    EXPECT_NE(stream->failure().find(expected), std::string::npos) << stream->failure();
    EXPECT_FALSE(stream->untrusted());
  }
}

TEST(TlsHandshake, that_fails_drops_the_sessions_it_might_have_failed_for) {
  const Authority authority;
  const auto sessions = std::make_shared<TlsSessions>();
  {
    const TlsServer server({authority.issue(), 0, {}, {}, 0}, echo);
    auto [stream, step, why] = dial_tls(server.port(), trusting(authority), "localhost", sessions);
    ASSERT_EQ(step, TlsStream::Step::done) << why;
    write_text(*stream, "x");
    read_exactly(*stream, 1);
  }
  ASSERT_FALSE(sessions->impl().newest_first.empty());
  const peers::Listener listener;
  auto stream = make_tls_stream(make_tcp_stream(peers::connect_to(listener.port())), context_of(trusting(authority)),
                                "localhost", {}, sessions);
  listener.accept().close();
  EXPECT_EQ(shake(*stream), TlsStream::Step::failed);
  EXPECT_TRUE(sessions->impl().newest_first.empty());
}

TEST(TlsSessions, keeps_the_newest_four_and_gives_each_of_tls_1_3_once) {
  const Authority authority;
  const TlsServer server({authority.issue(), 0, {}, {}, 0}, [](SSL* ssl) {
    for (int i = 0; i < 8; ++i) SSL_new_session_ticket(ssl);
    echo(ssl);
  });
  const auto sessions = std::make_shared<TlsSessions>();
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority), "localhost", sessions);
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  write_text(*stream, "x");
  EXPECT_EQ(read_exactly(*stream, 1), "x");
  EXPECT_EQ(sessions->impl().newest_first.size(), TlsSessions::Impl::limit);
  SSL_SESSION* newest = sessions->impl().newest_first.front().get();
  const SessionPtr taken = sessions->impl().take();
  EXPECT_EQ(taken.get(), newest);
  EXPECT_EQ(sessions->impl().newest_first.size(), TlsSessions::Impl::limit - 1);
  sessions->clear();
  EXPECT_EQ(sessions->impl().take(), nullptr);
}

TEST(TlsStream, takes_a_ticket_while_idle_for_no_news) {
  const Authority authority;
  std::promise<void> ticket_sent;
  auto sent = ticket_sent.get_future();
  std::promise<void> go;
  const TlsServer server({authority.issue(), 0, {}, {}, 0}, [&, gate = go.get_future().share()](SSL* ssl) {
    char byte;
    SSL_read(ssl, &byte, 1);
    SSL_new_session_ticket(ssl);
    SSL_do_handshake(ssl);
    ticket_sent.set_value();
    gate.wait();
    SSL_write(ssl, "y", 1);
  });
  const auto sessions = std::make_shared<TlsSessions>();
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority), "localhost", sessions);
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  write_text(*stream, "x");
  ASSERT_TRUE(peers::arrived(sent));
  sessions->clear();
  // Readable, and yet nothing for the caller. The ticket may come in two pieces with those of the handshake.
  while (sessions->impl().newest_first.empty()) {
    ASSERT_TRUE(peers::wait_for(stream->fd(), POLLIN));
    const ReadResult got = stream->read(Scratch::of_this_thread());
    ASSERT_EQ(got.io, Io::again);
    ASSERT_TRUE(got.bytes.empty());
  }
  go.set_value();
  EXPECT_EQ(read_exactly(*stream, 1), "y");
}

TEST(TlsStream, gives_what_a_full_buffer_left_over_without_asking_the_socket) {
  const Authority authority;
  const std::string bytes = numbers(6 * Scratch::size);
  const TlsServer server({authority.issue(), 0, {}, {}, 0}, [&](SSL* ssl) {
    SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
    char byte;
    SSL_read(ssl, &byte, 1);
  });
  auto [stream, step, why] = dial_tls(server.port(), trusting(authority));
  ASSERT_EQ(step, TlsStream::Step::done) << why;
  std::string got;
  while (got.size() < bytes.size()) {
    const ReadResult part = stream->read(Scratch::of_this_thread());
    if (part.io == Io::again) {
      ASSERT_FALSE(stream->has_buffered_input());  // "again" with bytes in hand would wait for ever
      ASSERT_TRUE(peers::wait_for(stream->fd(), POLLIN));
      continue;
    }
    ASSERT_EQ(part.io, Io::ok);
    EXPECT_FALSE(part.drained && stream->has_buffered_input());
    got += part.bytes;
    // Another connection uses the same scratch in between.
    std::fill_n(Scratch::of_this_thread().wire.get(), Scratch::size, '#');
    std::fill_n(Scratch::of_this_thread().plain.get(), Scratch::size, '#');
  }
  EXPECT_TRUE(got == bytes);
}

// A stream below TLS that says whatever the test wants, one byte at a time or all at once.
class ScriptedStream final : public Stream {
 public:
  ReadResult read_waiting(Scratch& scratch) override { return read(scratch); }
  ReadResult read(Scratch& scratch) override {
    ReadResult result;
    if (incoming.empty()) {
      result.io = ended ? Io::closed : Io::again;
      return result;
    }
    const std::size_t size = incoming.copy(scratch.wire.get(), std::min(step, Scratch::size));
    incoming.erase(0, size);
    result.io = Io::ok;
    result.bytes = {scratch.wire.get(), size};
    result.drained = incoming.empty();
    return result;
  }
  WriteResult write(std::span<const std::string_view> parts) override {
    WriteResult result;
    for (const std::string_view part : parts) {
      const std::string_view taken = part.substr(0, room);
      outgoing += taken;
      room -= taken.size();
      result.accepted += taken.size();
    }
    result.io = result.accepted ? Io::ok : Io::again;
    return result;
  }
  WriteResult flush() override { return {Io::ok, 0, {}}; }
  bool has_pending_output() const override { return false; }
  bool has_buffered_input() const override { return false; }
  std::uint64_t bytes_sent() const override { return outgoing.size(); }
  void farewell() override {}
  int fd() const override { return -1; }

  std::string incoming;
  std::string outgoing;
  std::size_t step = Scratch::size;
  std::size_t room = SIZE_MAX;
  bool ended = false;
};

// A server without a socket: what it writes goes into the client's incoming bytes, and the other way round.
class MemoryServer {
 public:
  explicit MemoryServer(const Certificate& certificate) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_.get(), certificate.x509.get());
    SSL_CTX_use_PrivateKey(context_.get(), certificate.key.get());
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_.get());
  }
  SSL* ssl() { return ssl_.get(); }
  void exchange(ScriptedStream& wire) {
    BIO_write(SSL_get_rbio(ssl_.get()), wire.outgoing.data(), static_cast<int>(wire.outgoing.size()));
    wire.outgoing.clear();
    if (!SSL_is_init_finished(ssl_.get())) SSL_do_handshake(ssl_.get());
    char buffer[4096];
    for (int size; (size = BIO_read(SSL_get_wbio(ssl_.get()), buffer, sizeof buffer)) > 0;) {
      wire.incoming.append(buffer, static_cast<std::size_t>(size));
    }
    ERR_clear_error();
  }

 private:
  SslContextPtr context_;
  SslPtr ssl_;
};

struct MemoryConnection {
  explicit MemoryConnection(std::size_t step = Scratch::size) : server(authority.issue()) {
    auto lower = std::make_unique<ScriptedStream>();
    wire = lower.get();
    wire->step = step;
    client = make_tls_stream(std::move(lower), context_of(trusting(authority)), "localhost", {}, nullptr);
  }
  bool shake() {
    for (int i = 0; i < 20; ++i) {
      const auto step = client->handshake(Scratch::of_this_thread());
      server.exchange(*wire);
      if (step != TlsStream::Step::again) return step == TlsStream::Step::done;
    }
    return false;
  }
  Authority authority;
  MemoryServer server;
  ScriptedStream* wire;
  std::unique_ptr<TlsStream> client;
};

TEST(TlsStream, reads_the_same_split_at_every_byte) {
  MemoryConnection connection(1);
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  SSL_write(connection.server.ssl(), "hello", 5);
  SSL_write(connection.server.ssl(), "world", 5);
  SSL_shutdown(connection.server.ssl());
  connection.server.exchange(*connection.wire);
  connection.wire->ended = true;
  std::string got;
  Io end = Io::again;
  for (int i = 0; i < 10'000; ++i) {
    const ReadResult part = connection.client->read(Scratch::of_this_thread());
    if (part.io == Io::ok) {
      got += part.bytes;
    } else if (part.io != Io::again) {
      end = part.io;
      break;
    }
  }
  EXPECT_EQ(got, "helloworld");
  EXPECT_EQ(end, Io::closed);
}

TEST(TlsStream, gives_the_last_bytes_before_the_goodbye_that_came_with_them) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  SSL_write(connection.server.ssl(), "bye", 3);
  SSL_shutdown(connection.server.ssl());
  connection.server.exchange(*connection.wire);
  const ReadResult got = connection.client->read(Scratch::of_this_thread());
  EXPECT_EQ(got.bytes, "bye");
  EXPECT_FALSE(got.drained);
  EXPECT_TRUE(connection.client->has_buffered_input());
  EXPECT_EQ(connection.client->read(Scratch::of_this_thread()).io, Io::closed);
}

TEST(TlsStream, gives_the_good_bytes_before_a_forged_record) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  SSL_write(connection.server.ssl(), "good", 4);
  connection.server.exchange(*connection.wire);
  const std::size_t end_of_good = connection.wire->incoming.size();
  SSL_write(connection.server.ssl(), "evil", 4);
  connection.server.exchange(*connection.wire);
  connection.wire->incoming[end_of_good + 8] ^= 1;
  EXPECT_EQ(connection.client->read(Scratch::of_this_thread()).bytes, "good");
  const ReadResult got = connection.client->read(Scratch::of_this_thread());
  EXPECT_EQ(got.io, Io::failed);
  EXPECT_TRUE(got.error);
  EXPECT_FALSE(got.error.message().empty());
  EXPECT_EQ(write_text(*connection.client, "x").io, Io::failed);
}

TEST(TlsStream, ends_a_peer_that_sends_records_without_data_and_without_end) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  for (int i = 0; i < 2'500; ++i) {
    SSL_new_session_ticket(connection.server.ssl());
    SSL_do_handshake(connection.server.ssl());
  }
  connection.server.exchange(*connection.wire);
  ASSERT_GT(connection.wire->incoming.size(), 300'000u);
  EXPECT_EQ(connection.client->read(Scratch::of_this_thread()).io, Io::failed);
}

TEST(TlsStream, ends_a_peer_that_asks_for_new_keys_and_does_not_read_the_answers) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  connection.wire->room = 0;
  write_text(*connection.client, numbers(200'000));  // which keeps as much as it may
  Io io = Io::again;
  for (int i = 0; i < 50 && io == Io::again; ++i) {
    for (int n = 0; n < 200; ++n) {
      SSL_key_update(connection.server.ssl(), SSL_KEY_UPDATE_REQUESTED);
      SSL_do_handshake(connection.server.ssl());
    }
    connection.server.exchange(*connection.wire);
    io = connection.client->read(Scratch::of_this_thread()).io;
  }
  EXPECT_EQ(io, Io::failed);
}

TEST(TlsStream, answers_a_key_update_and_goes_on) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  SSL_key_update(connection.server.ssl(), SSL_KEY_UPDATE_REQUESTED);
  SSL_do_handshake(connection.server.ssl());
  SSL_write(connection.server.ssl(), "new", 3);
  connection.server.exchange(*connection.wire);
  EXPECT_EQ(connection.client->read(Scratch::of_this_thread()).bytes, "new");
  EXPECT_FALSE(connection.client->has_pending_output());
  EXPECT_EQ(write_text(*connection.client, "mine").accepted, 4u);
  connection.server.exchange(*connection.wire);
  char buffer[8];
  EXPECT_EQ(SSL_read(connection.server.ssl(), buffer, sizeof buffer), 4);
}

TEST(TlsStream, keeps_what_the_socket_does_not_take_and_sends_it_byte_by_byte) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  connection.wire->room = 0;
  EXPECT_EQ(write_text(*connection.client, "patience").accepted, 8u);
  EXPECT_TRUE(connection.client->has_pending_output());
  EXPECT_EQ(connection.client->flush().io, Io::again);
  for (int i = 0; connection.client->has_pending_output() && i < 1000; ++i) {
    connection.wire->room = 1;
    connection.client->flush();
  }
  connection.server.exchange(*connection.wire);
  char buffer[16];
  ASSERT_EQ(SSL_read(connection.server.ssl(), buffer, sizeof buffer), 8);
  EXPECT_EQ(std::string(buffer, 8), "patience");
}

TEST(TlsStream, counts_only_the_callers_bytes_as_accepted) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  connection.wire->room = 0;
  const std::string bytes = numbers(200'000);
  std::size_t sent = write_text(*connection.client, bytes).accepted;
  EXPECT_LT(sent, bytes.size());
  // What was kept goes out within a later write.
  while (sent < bytes.size()) {
    connection.wire->room = 100'000;
    const WriteResult written = write_text(*connection.client, std::string_view(bytes).substr(sent));
    ASSERT_EQ(written.io, Io::ok);
    sent += written.accepted;
  }
  connection.wire->room = SIZE_MAX;
  EXPECT_EQ(connection.client->flush().io, Io::ok);
  connection.server.exchange(*connection.wire);
  std::string got(bytes.size() + 1, '\0');
  std::size_t size = 0;
  for (std::size_t part = 0; SSL_read_ex(connection.server.ssl(), &got[size], got.size() - size, &part) == 1;) {
    size += part;
  }
  got.resize(size);
  EXPECT_TRUE(got == bytes) << size;
}

TEST(TlsStream, does_not_mind_errors_that_others_left_in_openssls_queue) {
  MemoryConnection connection;
  ASSERT_TRUE(connection.shake()) << connection.client->failure();
  ERR_put_error(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR, "somewhere", 1);
  EXPECT_EQ(connection.client->read(Scratch::of_this_thread()).io, Io::again);
  ERR_put_error(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR, "somewhere", 1);
  EXPECT_EQ(write_text(*connection.client, "x").io, Io::ok);
  ERR_clear_error();
}

// The reasons why a material is refused before anything is dialled.
std::string refusal(const TlsMaterial& material) {
  auto context = make_tls_context(material);
  if (context) return "accepted";
  EXPECT_EQ(context.error().code, ErrorCode::invalid_options);
  return context.error().message;
}

TEST(TlsMaterial, is_refused_with_a_reason) {
  const Authority authority;
  const Certificate mine = authority.issue();
  TlsMaterial material = trusting(authority);
  material.certificate_pem = mine.pem();
  material.key_pem = authority.issue().key_pem();
  EXPECT_EQ(refusal(material), "the private key does not belong to the client certificate");
  material.key_pem = mine.encrypted_key_pem();
  EXPECT_EQ(refusal(material), "the private key is protected by a password; give it unencrypted");
  material.key_pem = "nonsense";
  EXPECT_TRUE(refusal(material).starts_with("the private key cannot be read as PEM"));
  material.key_pem = mine.key_pem();
  EXPECT_EQ(refusal(material), "accepted");
  material.certificate_pem = "nonsense";
  EXPECT_EQ(refusal(material), "the client certificate holds no certificate in PEM form");
  material.certificate_pem.clear();
  EXPECT_EQ(refusal(material), "a private key was given without a client certificate");
  material.key_pem.clear();
  material.ca_pem = "nonsense";
  EXPECT_EQ(refusal(material), "the CA file holds no certificate in PEM form");
  material.ca_pem = authority.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_TRUE(refusal(material).starts_with("the CA file: certificate number 2 cannot be read"));
  material.ca_pem.clear();
  EXPECT_EQ(refusal(material), "no certificate authority is trusted");
  material.ca_directory = "no/such/directory";
  EXPECT_EQ(refusal(material), "the CA directory no/such/directory cannot be read");
}

TEST(TlsMaterial, with_key_and_certificate_in_one_text_is_understood) {
  const Authority authority;
  const Certificate mine = authority.issue();
  TlsMaterial material = trusting(authority);
  material.certificate_pem = mine.key_pem() + mine.pem() + authority.pem();
  EXPECT_EQ(refusal(material), "accepted");
}

TEST(TlsMaterial, of_equal_content_is_one_context) {
  const Authority authority;
  const auto first = context_of(trusting(authority));
  EXPECT_EQ(context_of(trusting(authority)), first);
  TlsMaterial other = trusting(authority);
  other.session_resumption = false;
  EXPECT_NE(context_of(other), first);
  EXPECT_NE(context_of(trusting(Authority("another"))), first);
}

TEST(LazyTlsContext, makes_one_context_however_many_ask) {
  LazyTlsContext lazy(trusting(Authority()));
  std::array<std::shared_ptr<TlsContext>, 4> got;
  std::vector<std::thread> threads;
  for (auto& slot : got) threads.emplace_back([&] { slot = *lazy.get(); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& slot : got) EXPECT_EQ(slot, got[0]);
  EXPECT_NE(got[0], nullptr);
}

TEST(LazyTlsContext, does_not_remember_a_failure) {
  TlsMaterial material;
  material.system_roots = false;
  LazyTlsContext lazy(material);
  EXPECT_FALSE(lazy.get());
  EXPECT_FALSE(lazy.ready());
  EXPECT_FALSE(lazy.get());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their allocators do not tell
TEST(TlsStream, costs_less_than_24_kilobytes_while_idle) {
  const Authority authority;
  std::promise<void> go;
  auto gate = go.get_future().share();
  std::vector<std::thread> holders;
  const peers::Listener listener;
  // The server's memory must not count: it runs in a child.
  const Certificate certificate = authority.issue();
  const TlsMaterial material = trusting(authority);
  const auto context = context_of(material);
  constexpr int count = 200;
  const pid_t child = ::fork();
  if (child == 0) {
    SSL_CTX* server = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server, certificate.x509.get());
    SSL_CTX_use_PrivateKey(server, certificate.key.get());
    for (int i = 0; i < count + 1; ++i) {
      peers::Socket socket = listener.accept();
      SSL* ssl = SSL_new(server);
      SSL_set_fd(ssl, socket.release());
      char byte;
      if (SSL_accept(ssl) != 1 || SSL_read(ssl, &byte, 1) != 1 || SSL_write(ssl, &byte, 1) != 1) ::_exit(1);
    }
    ::_exit(0);  // closes them all
  }
  const auto sessions = std::make_shared<TlsSessions>();
  const auto dial = [&] {
    auto stream =
        make_tls_stream(make_tcp_stream(peers::connect_to(listener.port())), context, "localhost", {}, sessions);
    EXPECT_EQ(shake(*stream), TlsStream::Step::done) << stream->failure();
    write_text(*stream, "x");
    EXPECT_EQ(read_exactly(*stream, 1), "x");
    return stream;
  };
  std::vector<std::unique_ptr<TlsStream>> streams;
  streams.reserve(count + 1);
  streams.push_back(dial());  // what is made once does not count either
  const std::size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < count; ++i) streams.push_back(dial());
  const std::size_t each = (::mallinfo2().uordblks - before) / count;
  RecordProperty("bytes_per_idle_connection", static_cast<int>(each));
  EXPECT_LT(each, 24u * 1024);
  EXPECT_GT(each, 1024u);
  streams.clear();
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}
#endif

}  // namespace
}  // namespace trunkline::net
