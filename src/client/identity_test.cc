#include "client/identity.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <trunkline/transport.hpp>

#include "base/test_folder.h"
#include "client/option_fields.h"

namespace trunkline {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

// Files to name in options. What they hold need not be PEM: an identity is about bytes.
class IdentityTest : public testing::Test, protected TestFolder {
 protected:
  IdentityTest() {
    fs::create_directory(path("hashed"));
    write("hashed/0123abcd.0", "an authority");
    write("file.pem", "a file");
  }

  static Identity identity(const Options& options) {
    auto result = identify(options);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? *result : Identity();
  }

  void flip(const OptionField& field, std::string& text) const {
    text = field.form == FieldForm::file        ? path("file.pem")
           : field.form == FieldForm::directory ? path("hashed")
           : field.form == FieldForm::proxy     ? "http://proxy.example:3128"
                                                : text + "x";
  }
  static void flip(const OptionField&, bool& flag) { flag = !flag; }
  static void flip(const OptionField&, int& number) { ++number; }
  static void flip(const OptionField&, std::size_t& number) { ++number; }
  static void flip(const OptionField&, Duration& duration) { ++duration; }
  static void flip(const OptionField&, TlsVersion& value) { value = TlsVersion::tls_1_3; }
  static void flip(const OptionField&, Protocol& value) { value = Protocol::http1; }
  static void flip(const OptionField&, std::shared_ptr<const AddressGuard>& guard) {
    guard = refuse_private_addresses();
  }
  static void flip(const OptionField&, Overrides& value) { value.emplace_back("example.org:443", "192.0.2.1"); }

  Options flipped(const OptionField& field, Options options = {}) const {
    std::visit([&](const auto& access) { flip(field, access.write(options)); }, field.access);
    return options;
  }
};

TEST_F(IdentityTest, every_setting_has_one_row_of_its_own_in_the_table) {
  Options options;
  std::set<const void*> places;
  std::set<std::string_view> names;
  for (const OptionField& field : option_fields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name << " is named twice";
    const void* place =
        std::visit([&](const auto& access) -> const void* { return &access.write(options); }, field.access);
    const void* read =
        std::visit([&](const auto& access) -> const void* { return &access.read(options); }, field.access);
    EXPECT_TRUE(places.insert(place).second) << field.name << " reaches another's setting";
    EXPECT_EQ(place, read) << field.name;
  }
  // That there are as many rows as settings is asserted where the table is, when it is compiled.
}

TEST_F(IdentityTest, every_setting_changes_the_handle_and_the_wire_only_where_it_is_marked) {
  const Identity before = identity(Options());
  std::set<std::string> handles{before.handle};
  for (const OptionField& field : option_fields()) {
    const Options changed = flipped(field);
    const Identity after = identity(changed);
    EXPECT_EQ(handles.insert(after.handle).second, field.cls != FieldClass::none) << field.name;
    EXPECT_EQ(after.wire != before.wire, field.cls == FieldClass::wire) << field.name;

    const Names name{std::string(field.name)};
    const OptionsDifference difference = compare(Options(), changed);
    EXPECT_EQ(difference.wire, field.cls == FieldClass::wire ? name : Names()) << field.name;
    EXPECT_EQ(difference.handle, field.cls == FieldClass::handle ? name : Names()) << field.name;
  }
}

TEST_F(IdentityTest, settings_marked_wire_in_the_header_are_wire_in_the_table) {
  for (const OptionField& field : option_fields()) {
    const bool wire = field.name.starts_with("tls.") || field.name.starts_with("proxy_tls.") ||
                      field.name == "protocol" || field.name == "proxy" || field.name == "no_proxy" ||
                      field.name == "bind_address" || field.name == "resolve" || field.name == "address_guard" ||
                      field.name == "isolation" || field.name.starts_with("http2.");
    EXPECT_EQ(field.cls, wire ? FieldClass::wire : FieldClass::handle) << field.name;
  }
}

TEST_F(IdentityTest, equal_options_have_equal_identities) {
  const auto build = [&] {
    return Options::scrape().derive([&](Options& o) {
      o.tls.ca_file = path("file.pem");
      o.proxy = "http://user:password@proxy.example:3128";
      o.resolve = {{"a.example:443", "192.0.2.1"}};
    });
  };
  EXPECT_EQ(identity(build()).handle, identity(build()).handle);
  EXPECT_EQ(identity(build()).wire, identity(build()).wire);
  EXPECT_EQ(identity(build()).handle.size(), 64U);
  EXPECT_EQ(identity(build()).wire.size(), 64U);
  EXPECT_NE(identity(build()).handle, identity(build()).wire);
}

TEST_F(IdentityTest, content_rotated_under_the_same_path_is_another_identity) {
  for (const OptionField& field : option_fields()) {
    if (field.form != FieldForm::file && field.form != FieldForm::directory) continue;
    const Options options = flipped(field);
    const std::string file = field.form == FieldForm::file ? "file.pem" : "hashed/0123abcd.0";
    const Identity before = identity(options);
    write(file, "rotated");  // at once, within a tick of the file system's clock
    const Identity after = identity(options);
    EXPECT_NE(after.handle, before.handle) << field.name;
    EXPECT_NE(after.wire, before.wire) << field.name;
    write(file, field.form == FieldForm::file ? "a file" : "an authority");
    EXPECT_EQ(identity(options).handle, before.handle) << field.name;
  }
}

TEST_F(IdentityTest, the_same_content_under_two_paths_is_one_identity) {
  for (const OptionField& field : option_fields()) {
    if (field.form != FieldForm::file) continue;
    const Options one = flipped(field);
    Options other = one;
    std::get<FieldAccess<std::string>>(field.access).write(other) = write("copy.pem", "a file");
    EXPECT_EQ(identity(one).handle, identity(other).handle) << field.name;
    EXPECT_EQ(identity(one).wire, identity(other).wire) << field.name;
    EXPECT_EQ(compare(one, other).wire, Names()) << field.name;
  }
  fs::copy(path("hashed"), path("hashed_too"));
  Options one;
  one.tls.ca_directory = path("hashed");
  Options other;
  other.tls.ca_directory = path("hashed_too");
  EXPECT_EQ(identity(one).handle, identity(other).handle);
}

TEST_F(IdentityTest, a_file_that_is_empty_is_not_the_same_as_none) {
  Options options;
  options.tls.ca_file = write("empty.pem", "");
  EXPECT_NE(identity(options).wire, identity(Options()).wire);
  EXPECT_EQ(compare(options, Options()).wire, Names{"tls.ca_file"});
}

TEST_F(IdentityTest, values_cannot_be_moved_between_settings) {
  // Each of these pairs would be equal if values were joined with separators, or not told apart by their field.
  std::vector<Options> all(14);
  all[0].tls.ca_pem = "x";
  all[1].tls.certificate_pem = "x";
  all[2].tls.key_pem = "x";
  all[3].tls.server_name = "x";
  all[4].bind_address = "x";
  all[5].user_agent = "x";
  all[6].tls.server_name = std::string("x\0", 2);
  all[7].tls.server_name = std::string("x\0y", 3);
  all[8].tls.server_name = "x";
  all[8].bind_address = "y";
  all[9].tls.server_name = "y";
  all[9].bind_address = "x";
  all[10].tls.server_name = "x,bind_address=y";
  all[11].resolve = {{"a", "b"}, {"c", "d"}};
  all[12].resolve = {{"a", "bc"}, {"", "d"}};
  all[13].resolve = {{"ab", ""}, {"c", "d"}};
  std::set<std::string> handles{identity(Options()).handle};
  std::set<std::string> wires;
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(handles.insert(identity(all[i]).handle).second) << i;
    EXPECT_TRUE(wires.insert(identity(all[i]).wire).second) << i;
  }
}

TEST_F(IdentityTest, an_empty_user_agent_is_not_the_default_one) {
  Options options;
  options.user_agent = "";
  EXPECT_EQ(compare(options, Options()).handle, Names{"user_agent"});
}

TEST_F(IdentityTest, overrides_are_equal_in_any_order_and_case_of_their_hosts) {
  Options one;
  one.resolve = {{"A.Example:443", "192.0.2.1"}, {"b.example:443", "192.0.2.2"}};
  Options other;
  other.resolve = {{"B.example:443", "192.0.2.2"}, {"a.example:443", "192.0.2.1"}};
  EXPECT_EQ(identity(one).handle, identity(other).handle);
  EXPECT_EQ(compare(one, other).wire, Names());
  // Of two addresses for one host, which comes first may matter.
  one.resolve = {{"a:1", "192.0.2.1"}, {"a:1", "192.0.2.2"}};
  other.resolve = {{"a:1", "192.0.2.2"}, {"a:1", "192.0.2.1"}};
  EXPECT_NE(identity(one).wire, identity(other).wire);
}

TEST_F(IdentityTest, proxies_differ_by_host_port_user_and_password_and_by_nothing_else) {
  const auto wire = [&](std::string proxy) {
    Options options;
    options.proxy = std::move(proxy);
    return identity(options).wire;
  };
  EXPECT_EQ(wire("http://proxy:3128"), wire("HTTP://Proxy:3128/"));
  EXPECT_EQ(wire("http://proxy"), wire("http://proxy:1080"));
  EXPECT_EQ(wire("https://proxy"), wire("https://proxy:443"));
  EXPECT_EQ(wire("direct"), wire(""));
  EXPECT_EQ(wire("http://u:p@proxy"), wire("http://%75:%70@proxy"));
  const std::vector<std::string> different{"",
                                           "http://proxy:3128",
                                           "http://proxy:3129",
                                           "http://proxy2:3128",
                                           "http://u@proxy:3128",
                                           "http://u:p@proxy:3128",
                                           "http://u:q@proxy:3128",
                                           "http://up:@proxy:3128",
                                           "http://u%3Ap@proxy:3128",
                                           "https://proxy:3128",
                                           "socks5://proxy:3128",
                                           "socks5h://proxy:3128",
                                           "socks5h://u:p@proxy:3128",
                                           "socks5h://u:q@proxy:3128",
                                           "nonsense"};
  std::set<std::string> wires;
  for (const std::string& proxy : different) EXPECT_TRUE(wires.insert(wire(proxy)).second) << proxy;
}

TEST_F(IdentityTest, no_secret_is_in_what_is_hashed_or_in_an_error) {
  const std::string secret = "hunter2";
  Options options;
  options.tls.key_pem = "key " + secret;
  options.tls.key_file = write("key.pem", "file " + secret);
  options.tls.certificate_pem = "certificate " + secret;
  for (const char* proxy : {"http://user:hunter2@proxy:3128", "socks5://user:hunter2@proxy", "http://user:hunter2@",
                            "user:hunter2@proxy", "http://user:hunter2/@proxy", "http://a:hunter2@b:hunter2@c"}) {
    options.proxy = proxy;
    auto serialized = serialize(options);
    ASSERT_TRUE(serialized);
    EXPECT_EQ(serialized->handle.find(secret), std::string::npos) << proxy;
    EXPECT_EQ(serialized->wire.find(secret), std::string::npos) << proxy;
    EXPECT_EQ(serialized->handle.find("user"), std::string::npos) << proxy;
  }
  options.tls.ca_file = path("missing.pem");
  auto failed = identify(options);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().describe().find(secret), std::string::npos);
}

TEST_F(IdentityTest, a_file_that_cannot_be_read_is_an_error_with_setting_and_path) {
  for (const OptionField& field : option_fields()) {
    if (field.form != FieldForm::file && field.form != FieldForm::directory) continue;
    Options options;
    std::get<FieldAccess<std::string>>(field.access).write(options) = path("missing");
    auto failed = identify(options);
    ASSERT_FALSE(failed) << field.name;
    EXPECT_EQ(failed.error().code, ErrorCode::invalid_options);
    EXPECT_EQ(failed.error().message,
              std::string(field.name) + ": cannot read \"" + path("missing") + "\": No such file or directory");
    const bool of_proxy = field.name.starts_with("proxy_tls.");
    auto material = of_proxy ? load_tls_material(options.proxy_tls, "proxy_tls") : load_tls_material(options.tls);
    ASSERT_FALSE(material) << field.name;
    EXPECT_EQ(material.error().message, failed.error().message);
    EXPECT_EQ(compare(options, Options()).wire, Names{std::string(field.name)}) << "compare() cannot fail";
    EXPECT_EQ(compare(options, options).wire, Names());
  }
}

TEST_F(IdentityTest, hashed_bytes_begin_with_a_version_and_a_tag_and_say_when_the_systems_roots_are_trusted) {
  auto defaults = serialize(Options());
  ASSERT_TRUE(defaults);
  const std::string handle_start = std::string("\1\x10\0\0\0\0\0\0\0", 9) + "trunkline handle";
  const std::string wire_start = std::string("\1\x0E\0\0\0\0\0\0\0", 9) + "trunkline wire";
  EXPECT_TRUE(defaults->handle.starts_with(handle_start));
  EXPECT_TRUE(defaults->wire.starts_with(wire_start));
  EXPECT_TRUE(defaults->handle.ends_with("system"));
  EXPECT_TRUE(defaults->wire.ends_with("system"));
  Options options;
  options.tls.ca_pem = "an authority";
  auto given = serialize(options);
  ASSERT_TRUE(given);
  EXPECT_TRUE(given->wire.ends_with("given"));
  options = {};
  options.proxy_tls.ca_pem = "an authority";
  given = serialize(options);
  ASSERT_TRUE(given);
  EXPECT_TRUE(given->wire.ends_with("system")) << "the origin is still verified with the system's roots";
  EXPECT_NE(given->wire.find("given"), std::string::npos);
}

TEST_F(IdentityTest, material_of_the_defaults_trusts_the_system_and_verifies) {
  auto material = load_tls_material(TlsOptions());
  ASSERT_TRUE(material);
  EXPECT_TRUE(material->system_roots);
  EXPECT_TRUE(material->verify);
  EXPECT_TRUE(material->session_resumption);
  EXPECT_EQ(material->minimum_version, TlsVersion::tls_1_2);
  EXPECT_EQ(material->ca_pem + material->ca_directory + material->certificate_pem + material->key_pem, "");
}

TEST_F(IdentityTest, material_holds_the_contents_of_all_sources) {
  TlsOptions tls;
  tls.ca_pem = "memory";
  tls.ca_file = path("file.pem");
  tls.ca_directory = path("hashed");
  tls.certificate_file = write("me.pem", "chain");
  tls.key_pem = "key";
  tls.insecure_skip_verify = true;
  tls.minimum_version = TlsVersion::tls_1_3;
  tls.session_resumption = false;
  auto material = load_tls_material(tls);
  ASSERT_TRUE(material);
  EXPECT_FALSE(material->system_roots);
  EXPECT_EQ(material->ca_pem, "memory\na file\nan authority\n");
  EXPECT_EQ(material->ca_directory, "") << "read, not left to be found at the first handshake";
  EXPECT_EQ(material->certificate_pem, "chain");
  EXPECT_EQ(material->key_pem, "key");
  EXPECT_FALSE(material->verify);
  EXPECT_EQ(material->minimum_version, TlsVersion::tls_1_3);
  EXPECT_FALSE(material->session_resumption);
}

TEST_F(IdentityTest, identity_and_material_can_be_had_together) {
  Options options;
  options.tls.ca_file = path("file.pem");
  auto both = identify_and_load(options);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->identity.handle, identity(options).handle);
  EXPECT_EQ(both->identity.wire, identity(options).wire);
  EXPECT_EQ(both->material.ca_pem, "a file");
}

TEST_F(IdentityTest, compare_names_all_that_differs_in_the_order_of_the_structs) {
  Options options = Options::scrape();
  options.user_agent = "probe";
  options.tls.insecure_skip_verify = true;
  options.bind_address = "192.0.2.7";
  const OptionsDifference difference = compare(options, Options());
  EXPECT_EQ(difference.wire, (Names{"tls.insecure_skip_verify", "bind_address"}));
  EXPECT_EQ(difference.handle,
            (Names{"limits.idle_per_host", "limits.idle_total", "limits.idle_timeout", "user_agent"}));
}

}  // namespace
}  // namespace trunkline
