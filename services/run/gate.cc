#include "services/run/gate.h"

#include <memory>
#include <optional>
#include <utility>

#include "services/run/configuration.h"

namespace trunkline::run {
namespace {

// What is behind the scheme, whose case does not count (RFC 9110 section 11.1).
std::optional<std::string_view> value_of(std::string_view authorization, std::string_view scheme) {
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ') return std::nullopt;
  if (!equals_ignore_case(authorization.substr(0, scheme.size()), scheme)) return std::nullopt;
  authorization.remove_prefix(scheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

bool is_probe(std::string_view path) { return path == "/healthz" || path == "/readyz"; }

}  // namespace

bool asks_for_login(const AdminSettings& admin) { return !admin.login.empty() || !admin.bearer_token.empty(); }

void Gate::set(const AdminSettings& admin) {
  const std::lock_guard lock(mutex_);
  basic_ = admin.login;
  bearer_ = admin.bearer_token;
  only_known_names_ = !asks_for_login(admin) && !admin.unprotected;
}

bool Gate::only_known_names() const {
  const std::lock_guard lock(mutex_);
  return only_known_names_;
}

bool Gate::opens(const Headers& request) const {
  const std::lock_guard lock(mutex_);
  if (basic_.empty() && bearer_.empty()) return true;
  const std::string_view authorization = request.get("Authorization").value_or("");
  const auto matches = [&](const KeptSecret& wanted, std::string_view scheme) {
    const auto value = value_of(authorization, scheme);
    return value && wanted.matches(*value);
  };
  return matches(basic_, "Basic") || matches(bearer_, "Bearer");
}

server::Response Gate::refusal() const {
  server::Response response(
      401, "application/json",
      R"({"error":"this listener asks for a password or a token: see admin in its configuration"})"
      "\n");
  response.headers.set("Cache-Control", "no-store");
  const std::lock_guard lock(mutex_);
  if (!basic_.empty()) response.headers.add("WWW-Authenticate", R"(Basic realm="trunkline", charset="UTF-8")");
  if (!bearer_.empty()) response.headers.add("WWW-Authenticate", R"(Bearer realm="trunkline")");
  return response;
}

server::Handler Gate::behind(std::shared_ptr<const Gate> gate, server::Handler handler) {
  auto inner = std::make_shared<const server::Handler>(std::move(handler));
  return [gate = std::move(gate), inner](server::Request request, server::Exchange exchange) {
    if (!is_probe(request.path) && !gate->opens(request.headers)) {
      exchange.respond(gate->refusal());
      return;
    }
    (*inner)(std::move(request), std::move(exchange));
  };
}

bool is_of_this_machine(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]:") || address.starts_with("unix:");
}

bool is_exposed(const AdminSettings& admin) {
  return !asks_for_login(admin) && !admin.unprotected && !is_of_this_machine(admin.listen);
}

std::string exposed_sentence(std::string_view remedy) {
  std::string sentence = "other machines could read all that is shown, as nobody is asked for a password: ";
  return sentence.append(remedy);
}

}  // namespace trunkline::run
