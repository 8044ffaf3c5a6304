#include "client/identity.h"

#include <cstdint>
#include <map>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <trunkline/transport.hpp>

#include "base/sha256.h"
#include "base/text.h"
#include "client/file_digest.h"
#include "client/option_fields.h"
#include "net/per_process.h"
#include "url/proxy_url.h"

namespace trunkline {
namespace {

// Raised when equal bytes get another meaning.
constexpr char version = 1;
constexpr std::string_view handle_tag = "trunkline handle";
constexpr std::string_view wire_tag = "trunkline wire";
// No fields: which roots are trusted where none are given, for the origin and for the proxy.
constexpr std::uint16_t roots_number = 0xFFFF;
constexpr std::uint16_t proxy_roots_number = 0xFFFE;

// One for the process: clients are made anew for every request, and files are the same for all of them. Never
// destroyed, since clients may be made while the process exits.
FileDigests& file_digests() {
  struct Shared {
    FileDigests digests = FileDigests();
  };
  return net::per_process<Shared>().digests;
}

template <class Integer>
void append_integer(std::string& out, Integer value) {
  auto rest = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(Integer); ++i, rest >>= 8) out += static_cast<char>(rest & 0xFF);
}

// The length goes first, so no two texts can run into each other, whatever they hold.
void append_text(std::string& out, std::string_view text) {
  append_integer<std::uint64_t>(out, text.size());
  out += text;
}

void append_digest(std::string& out, const Sha256::Digest& digest) {
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

enum class Presence : unsigned char { present, absent };

Presence append_proxy(std::string& out, const std::string& text) {
  const auto proxy = parse_proxy_url(text);
  if (proxy && !*proxy) return Presence::absent;
  out += proxy ? '\1' : '\0';
  if (!proxy) {
    append_digest(out, sha256(text));  // of a kind that we do not speak, or misspelt; it may hold a password anyway
    return Presence::present;
  }
  append_text(out, (*proxy)->origin());
  append_text(out, (*proxy)->zone);
  if (!(*proxy)->has_credentials) return Presence::present;
  std::string credentials;
  append_text(credentials, (*proxy)->user);
  append_text(credentials, (*proxy)->password);
  append_digest(out, sha256(credentials));
  return Presence::present;
}

// The value's bytes. What is absent leaves no trace, which is not the same as a value that is empty.
Result<Presence> append_value(std::string& out, const OptionField& field, const std::string& text) {
  if (text.empty() && field.form != FieldForm::plain) return Presence::absent;
  Result<Sha256::Digest> digest = Sha256::Digest{};
  switch (field.form) {
    case FieldForm::plain:
    case FieldForm::optional:
    case FieldForm::overrides:
      out += text;
      return Presence::present;
    case FieldForm::proxy:
      return append_proxy(out, text);
    case FieldForm::digest:
      digest = sha256(text);
      break;
    case FieldForm::file:
      digest = file_digests().file(field.name, text);
      break;
    case FieldForm::directory:
      digest = file_digests().certificate_directory(field.name, text);
      break;
  }
  if (!digest) return digest.error();
  append_digest(out, *digest);
  return Presence::present;
}

Result<Presence> append_value(std::string& out, const OptionField&, const Overrides& overrides) {
  if (overrides.empty()) return Presence::absent;
  std::multimap<std::string, std::string_view> sorted;  // keeps the order of two addresses for one host
  for (const auto& [host, address] : overrides) sorted.emplace(in_small_letters(host), address);
  for (const auto& [host, address] : sorted) {
    append_text(out, host);
    append_text(out, address);
  }
  return Presence::present;
}

Result<Presence> append_value(std::string& out, const OptionField&, const std::shared_ptr<const AddressGuard>& guard) {
  if (guard == nullptr) return Presence::absent;
  out += guard->name();
  return Presence::present;
}

Result<Presence> append_value(std::string& out, const OptionField&, Duration duration) {
  append_integer<std::int64_t>(out, duration.count());
  return Presence::present;
}

template <class Plain>
  requires(std::is_integral_v<Plain> || std::is_enum_v<Plain>)
Result<Presence> append_value(std::string& out, const OptionField&, Plain value) {
  append_integer<Plain>(out, value);
  return Presence::present;
}

Result<Presence> append_value_of(std::string& out, const OptionField& field, const Options& options) {
  return std::visit([&](const auto& access) { return append_value(out, field, access.read(options)); }, field.access);
}

// Number, length, bytes; nothing when it is absent.
Result<void> append_field(std::string& out, std::uint16_t number, const OptionField& field, const Options& options) {
  const std::size_t start = out.size();
  append_integer(out, number);
  append_integer<std::uint64_t>(out, 0);
  const std::size_t begin = out.size();
  auto presence = append_value_of(out, field, options);
  if (!presence) return presence.error();
  if (*presence == Presence::absent) {
    out.resize(start);
    return {};
  }
  std::string length;
  append_integer<std::uint64_t>(length, out.size() - begin);
  out.replace(begin - length.size(), length.size(), length);
  return {};
}

std::string preamble(std::string_view tag) {
  std::string out;
  out.reserve(1200);  // what the defaults and three files take
  out += version;
  append_text(out, tag);
  return out;
}

bool names_roots(const TlsOptions& tls) {
  return !tls.ca_file.empty() || !tls.ca_directory.empty() || !tls.ca_pem.empty();
}

// For compare(), which has no way to fail: what cannot be read differs by its name.
std::string comparable(const OptionField& field, const Options& options) {
  std::string out;
  auto presence = append_value_of(out, field, options);
  if (!presence) {
    const auto* path = std::get_if<FieldAccess<std::string>>(&field.access);
    return "unreadable " + (path != nullptr ? path->read(options) : std::string());
  }
  return (*presence == Presence::present ? '\1' : '\0') + out;
}

// Several sources may be given: they are added together.
Result<void> add_file(std::string& pem, const std::string& field, const std::string& path) {
  if (path.empty()) return {};
  auto bytes = read_file(field, path);
  if (!bytes) return bytes.error();
  if (!pem.empty()) pem += '\n';
  pem += *bytes;
  return {};
}

}  // namespace

namespace {

// `wire` may be null.
Result<void> serialize(const Options& options, std::string& handle, std::string* wire) {
  handle = preamble(handle_tag);
  if (wire != nullptr) *wire = preamble(wire_tag);
  std::uint16_t number = 0;
  for (const OptionField& field : option_fields()) {
    ++number;
    if (field.cls == FieldClass::none) continue;
    const std::size_t start = handle.size();
    auto appended = append_field(handle, number, field, options);
    if (!appended) return appended.error();
    if (wire != nullptr && field.cls == FieldClass::wire) wire->append(handle, start);
  }
  for (std::string* each : {&handle, wire}) {
    if (each == nullptr) continue;
    append_integer(*each, proxy_roots_number);
    append_text(*each, names_roots(options.proxy_tls) ? "given" : "system");
    append_integer(*each, roots_number);
    append_text(*each, names_roots(options.tls) ? "given" : "system");
  }
  return {};
}

}  // namespace

Result<SerializedOptions> serialize(const Options& options) {
  SerializedOptions out;
  if (auto done = serialize(options, out.handle, &out.wire); !done) return done.error();
  return out;
}

Result<std::string> fingerprint(const Options& options) {
  std::string handle;
  if (auto done = serialize(options, handle, nullptr); !done) return done.error();
  return hex(sha256(handle));
}

Result<Identity> identify(const Options& options) {
  auto serialized = serialize(options);
  if (!serialized) return serialized.error();
  return Identity{hex(sha256(serialized->handle)), hex(sha256(serialized->wire))};
}

Result<net::TlsMaterial> load_tls_material(const TlsOptions& tls, const std::string& name) {
  net::TlsMaterial material;
  material.system_roots = !names_roots(tls);
  material.verify = !tls.insecure_skip_verify;
  material.minimum_version = tls.minimum_version;
  material.session_resumption = tls.session_resumption;
  material.ca_pem = tls.ca_pem;
  material.certificate_pem = tls.certificate_pem;
  material.key_pem = tls.key_pem;
  if (auto added = add_file(material.ca_pem, name + ".ca_file", tls.ca_file); !added) return added.error();
  if (auto added = add_file(material.certificate_pem, name + ".certificate_file", tls.certificate_file); !added) {
    return added.error();
  }
  if (auto added = add_file(material.key_pem, name + ".key_file", tls.key_file); !added) return added.error();
  if (!tls.ca_directory.empty()) {
    // Read now instead of by OpenSSL in a handshake: the contents are the identity and must not change under it.
    auto all = read_certificate_directory(name + ".ca_directory", tls.ca_directory);
    if (!all) return all.error();
    if (!material.ca_pem.empty()) material.ca_pem += '\n';
    material.ca_pem += *all;
  }
  return material;
}

Result<IdentifiedMaterial> identify_and_load(const Options& options) {
  constexpr int attempts = 5;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    auto before = identify(options);
    if (!before) return before.error();
    auto material = load_tls_material(options.tls);
    if (!material) return material.error();
    auto proxy_material = load_tls_material(options.proxy_tls, "proxy_tls");
    if (!proxy_material) return proxy_material.error();
    auto after = identify(options);
    if (!after) return after.error();
    if (before->wire == after->wire) {
      return IdentifiedMaterial{std::move(*after), std::move(*material), std::move(*proxy_material)};
    }
  }
  return Error(ErrorCode::invalid_options, Phase::prepare,
               "the files of tls or proxy_tls keep changing while they are read; replace them by renaming");
}

OptionsDifference compare(const Options& a, const Options& b) {
  OptionsDifference difference;
  for (const OptionField& field : option_fields()) {
    if (field.cls == FieldClass::none || comparable(field, a) == comparable(field, b)) continue;
    (field.cls == FieldClass::wire ? difference.wire : difference.handle).emplace_back(field.name);
  }
  return difference;
}

}  // namespace trunkline
