#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <trunkline/transport.hpp>

#include "client/identity.h"
#include "client/option_fields.h"

namespace trunkline {
namespace {

std::string words(const std::vector<OptionChange>& changes) {
  std::string text;
  for (const OptionChange& change : changes) {
    text += change.option + ": " + change.a + " | " + change.b + (change.splits_sockets ? "" : " (handles)") + "\n";
  }
  return text;
}

TEST(Explain, equal_options_differ_in_nothing) { EXPECT_EQ(words(explain(Options::scrape(), Options::scrape())), ""); }

TEST(Explain, names_each_option_that_differs_with_both_values_in_the_order_of_the_options) {
  Options a;
  Options b;
  b.tls.insecure_skip_verify = true;
  b.tls.minimum_version = TlsVersion::tls_1_3;
  b.protocol = Protocol::http1;
  b.proxy = "socks5h://proxy.example";
  b.bind_address = "192.0.2.7";
  b.resolve = {{"a.example:443", "192.0.2.1"}, {"b.example:443", "192.0.2.2"}};
  b.address_guard = refuse_private_addresses();
  b.limits.idle_per_host = 5;
  b.timeouts.total = std::chrono::milliseconds(1500);
  EXPECT_EQ(words(explain(a, b)),
            "tls.insecure_skip_verify: false | true\n"
            "tls.minimum_version: 1.2 | 1.3\n"
            "protocol: automatic | http1\n"
            "proxy: unset | socks5h://proxy.example:1080\n"
            "bind_address: unset | 192.0.2.7\n"
            "resolve: unset | a.example:443 at 192.0.2.1, b.example:443 at 192.0.2.2\n"
            "address_guard: unset | " +
                b.address_guard->name() +
                "\n"
                "limits.idle_per_host: 64 | 5 (handles)\n"
                "timeouts.total: 0s | 1.5s (handles)\n");
}

TEST(Explain, says_of_secrets_that_they_differ_and_nothing_else) {
  Options a;
  Options b;
  a.tls.key_pem = "s3cret one";
  b.tls.key_pem = "s3cret two";
  a.isolation = "s3cret tenant";
  a.proxy = "http://user:s3cret@proxy.example:3128";
  b.proxy = "http://user:s3cret2@proxy.example:3128";
  a.proxy_tls.certificate_pem = "s3cret";
  EXPECT_EQ(words(explain(a, b)),
            "tls.key_pem: set | set, to something else\n"
            "proxy: http://proxy.example:3128 with credentials | http://proxy.example:3128 with credentials, others\n"
            "proxy_tls.certificate_pem: set | unset\n"
            "isolation: set | unset\n");
  b.proxy = "htp:/user:s3cret@proxy.example";
  const std::string misspelt = words(explain(a, b));
  EXPECT_EQ(misspelt.find("s3cret"), std::string::npos) << misspelt;
}

// Whatever field is added: what is hashed because it is secret is not shown.
TEST(Explain, shows_no_text_that_the_identity_keeps_as_a_digest) {
  for (const OptionField& field : option_fields()) {
    const auto* text = std::get_if<FieldAccess<std::string>>(&field.access);
    if (text == nullptr || field.form != FieldForm::digest) continue;
    Options changed;
    text->write(changed) = "s3cret";
    const std::string all = words(explain(Options(), changed)) + words(explain(changed, Options()));
    EXPECT_NE(all.find(field.name), std::string::npos) << field.name;
    EXPECT_EQ(all.find("s3cret"), std::string::npos) << all;
  }
}

TEST(Explain, finds_the_options_behind_two_pools_of_the_process) {
  const Options plain = Options().derive([](Options& o) { o.isolation = "explain_test"; });
  const Options bound = plain.derive([](Options& o) {
    o.bind_address = "127.0.0.7";
    o.limits.idle_total = 7;
  });
  const auto key_of = [](const Options& options) { return identify(options).value().wire.substr(0, 12); };
  const auto one = Transport::shared(plain);
  {
    const auto other = Transport::shared(bound);
    const auto changes = Transport::explain_shared(key_of(plain), key_of(bound));
    ASSERT_TRUE(changes) << changes.error().message;
    EXPECT_EQ(words(*changes), "bind_address: unset | 127.0.0.7\n") << "limits split no sockets";
    other->drain(std::chrono::seconds(1));  // leaves the cache
  }
  const auto gone = Transport::explain_shared(key_of(plain), key_of(bound));
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find(key_of(bound)), std::string::npos) << gone.error().message;
  EXPECT_FALSE(Transport::explain_shared("", ""));
}

}  // namespace
}  // namespace trunkline
