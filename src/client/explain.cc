// Which options split two pools, with values that people may see.
#include <algorithm>
#include <string_view>
#include <type_traits>
#include <variant>

#include <trunkline/transport.hpp>

#include "base/text.h"
#include "client/engine.h"
#include "client/option_fields.h"
#include "client/transport_impl.h"
#include "url/proxy_url.h"

namespace trunkline {
namespace {

constexpr std::size_t most_text = 200;
constexpr std::string_view unset = "unset";

std::string text_of_proxy(const std::string& text) {
  const auto proxy = parse_proxy_url(text);
  if (!proxy) return "set, and cannot be read";  // a password may stand anywhere in it
  if (!*proxy) return std::string(unset);
  return (*proxy)->origin() + ((*proxy)->has_credentials ? " with credentials" : "");
}

std::string text_of(const OptionField& field, const std::string& value) {
  if (field.form == FieldForm::proxy) return text_of_proxy(value);
  if (value.empty()) return std::string(unset);
  return field.form == FieldForm::digest ? "set" : printable(value, most_text);
}

std::string text_of(const OptionField&, Duration value) { return print_duration(value); }
std::string text_of(const OptionField&, bool value) { return value ? "true" : "false"; }
std::string text_of(const OptionField&, int value) { return std::to_string(value); }
std::string text_of(const OptionField&, std::size_t value) { return std::to_string(value); }
std::string text_of(const OptionField&, TlsVersion value) { return value == TlsVersion::tls_1_2 ? "1.2" : "1.3"; }

std::string text_of(const OptionField&, Protocol value) {
  switch (value) {
    case Protocol::http1:
      return "http1";
    case Protocol::automatic:
      return "automatic";
    case Protocol::http2:
      return "http2";
    case Protocol::h2c:
      break;
  }
  return "h2c";
}

std::string text_of(const OptionField&, const Overrides& overrides) {
  std::string text;
  for (const auto& [from, to] : overrides) {
    if (!text.empty()) text += ", ";
    text.append(from).append(" at ").append(to);
  }
  return text.empty() ? std::string(unset) : printable(text, most_text);
}

std::string text_of(const OptionField&, const std::shared_ptr<const AddressGuard>& guard) {
  return guard ? printable(guard->name(), most_text) : std::string(unset);
}

std::string shown_value(const OptionField& field, const Options& options) {
  return std::visit([&](const auto& access) { return text_of(field, access.read(options)); }, field.access);
}

// What differs although the same is shown: the secret part of it, or what a file held when it was read.
std::string_view hidden_difference(FieldForm form) {
  switch (form) {
    case FieldForm::proxy:
      return ", others";
    case FieldForm::file:
    case FieldForm::directory:
      return ", with other contents";
    default:
      return ", to something else";
  }
}

}  // namespace

std::vector<OptionChange> explain(const Options& a, const Options& b) {
  const OptionsDifference difference = compare(a, b);
  std::vector<OptionChange> changes;
  for (const OptionField& field : option_fields()) {
    const bool wire = std::count(difference.wire.begin(), difference.wire.end(), field.name) > 0;
    if (!wire && std::count(difference.handle.begin(), difference.handle.end(), field.name) == 0) continue;
    OptionChange change{std::string(field.name), shown_value(field, a), shown_value(field, b), wire};
    if (change.a == change.b) change.b += hidden_difference(field.form);
    changes.push_back(std::move(change));
  }
  return changes;
}

Result<std::vector<OptionChange>> Transport::explain_shared(const std::string& key_a, const std::string& key_b) {
  const SharedTransports& transports = Engine::instance().shared_transports();
  const auto a = transports.options_of(key_a);
  const auto b = transports.options_of(key_b);
  if (!a || !b) {
    return Error(ErrorCode::invalid_options, Phase::prepare,
                 "no transport uses the pool " + printable(a ? key_b : key_a, 64) +
                     " any more, so its options are not known: its connections are left over");
  }
  std::vector<OptionChange> changes = explain(*a, *b);
  std::erase_if(changes, [](const OptionChange& change) { return !change.splits_sockets; });
  return changes;
}

}  // namespace trunkline
