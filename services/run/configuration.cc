#include "services/run/configuration.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>
#include <variant>

#include "base/characters.h"
#include "base/nearest.h"
#include "base/text.h"
#include "server/server.h"
#include "services/config/print.h"
#include "services/run/gate.h"
#include "services/run/optional_fields.h"
#include "services/run/place.h"

namespace trunkline::run {
namespace {

constexpr std::size_t most_bytes = std::size_t{4} << 20;

void check_admin(config::Reader& io, const AdminSettings& admin) {
  const config::Node* listen = io.node().find("listen");
  const Result<void> good = server::check_address(admin.listen);
  if (!listen || good) return;
  io.problem(*listen, "listen", listen->secret ? "is no address to listen at" : good.error().message);
}

// What is printed for a secret that stands in the file itself. To be read, it is a mistake: as a password anybody would
// know it.
constexpr std::string_view hidden_secret = "(hidden)";

void check_secrets(config::Reader& io, const AdminSettings& admin, const std::string& password,
                   const std::string& token) {
  constexpr std::string_view not_a_secret =
      "\"(hidden)\" is what `config print` shows for a secret: put the secret there, best as ${file:PATH}";
  io.require(password != hidden_secret, "password", not_a_secret);
  io.require(token != hidden_secret, "bearer_token", not_a_secret);
  io.require(admin.user.empty() == password.empty(), "", "user and password belong together");
  io.require(admin.user.find(':') == std::string::npos, "user", "a user's name has no colon: a password begins there");
  io.require(std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7F && c != ':'; }), "bearer_token",
             "a token is of visible ASCII characters without a colon: no request could bring this one");
  io.require(std::ranges::none_of(password, is_control), "password",
             "a password has no control characters, such as a line's end: no request could bring this one");
}

// Both are read, looked at, and kept as digests only.
void secret_fields(config::Reader& io, AdminSettings& admin) {
  std::string password;
  std::string token;
  io.text("password", password);
  io.text("bearer_token", token);
  check_secrets(io, admin, password, token);
  admin.login = KeptSecret::login(admin.user, password);
  admin.bearer_token = KeptSecret(token);
  wipe(password);
  wipe(token);
}
void secret_fields(config::Writer& io, const AdminSettings& admin) {
  const std::string hidden(hidden_secret);
  if (!admin.login.empty()) io.text("password", hidden);
  if (!admin.bearer_token.empty()) io.text("bearer_token", hidden);
}

// Nothing of the document but those digests is to outlive its reading.
void forget_secrets(config::Node& document, std::vector<Reference>& references) {
  const auto is_secret = [](std::string_view field) { return field == "password" || field == "bearer_token"; };
  for (config::Node& section : document.children) {
    if (section.key != "admin") continue;
    for (config::Node& field : section.children) {
      if (is_secret(field.key)) wipe(field.text);
    }
  }
  constexpr std::string_view admin = "admin.";
  for (Reference& one : references) {
    if (one.field.starts_with(admin) && is_secret(one.field.substr(admin.size()))) wipe(one.value);
  }
}

void check_protection(config::Reader& io, const AdminSettings& admin) {
  io.require(admin.certificate_file.empty() ? admin.key_file.empty() : true, "tls",
             "key_file is the key of certificate_file, which is not given");
  const bool is_address = server::check_address(admin.listen).has_value();  // otherwise that is what is wrong with it
  io.require(
      !is_address || !is_exposed(admin), "listen",
      exposed_sentence("give bearer_token, or user and password (as ${file:PATH}), or listen at 127.0.0.1; or say "
                       "`unprotected: true` where something in front of it asks"));
}
void check_protection(config::Writer& /*io*/, const AdminSettings& /*admin*/) {}
void check_admin(config::Writer& /*io*/, const AdminSettings& /*admin*/) {}

template <class Io>
void admin_fields(Io& io, AdminSettings& admin, const std::string& folder) {
  io.text("listen", admin.listen);
  io.object("tls", [&](auto& in) {
    path_field(in, "certificate_file", admin.certificate_file, folder);
    path_field(in, "key_file", admin.key_file, folder);
  });
  optional_text(io, "user", admin.user);
  secret_fields(io, admin);
  io.boolean("unprotected", admin.unprotected);
  io.boolean("console", admin.console);
  optional_texts(io, "hosts", admin.hosts);
  check_admin(io, admin);
  check_protection(io, admin);
}

void scrape_mapping(config::Reader& io, ScrapeSettings& scrape, const std::string& folder) {
  scrape_fields(io, scrape, folder);
}
void scrape_mapping(config::Writer& io, ScrapeSettings& scrape, const std::string& /*folder*/) {
  scrape_fields(io, scrape);
}

template <class Io>
void fields(Io& io, Configuration& all, const std::string& folder) {
  io.object("admin", [&](auto& in) { admin_fields(in, all.admin, folder); });
  io.span("drain", all.drain, std::chrono::nanoseconds(0), std::chrono::hours(24));
  io.object("scrape", [&](auto& in) { scrape_mapping(in, all.scrape, folder); });
  io.object("autoscale", [&](auto& in) { autoscale::fields(in, all.autoscale); });
}

const std::string* job_of(const autoscale::TargetSettings& target) {
  if (const auto* dry_run = std::get_if<autoscale::DryRunSettings>(&target)) return &dry_run->job;
  if (const auto* webhook = std::get_if<autoscale::WebhookSettings>(&target)) return &webhook->job;
  return nullptr;
}

// The job's name in the document, where a target has one.
const config::Node* job_node(const config::Node& fleet) {
  const config::Node* target = fleet.find("target");
  if (!target || target->children.empty()) return nullptr;
  return target->children.front().find("job");
}

// A fleet whose job nobody scrapes would never be decided.
void check_jobs(const config::Node& root, const Configuration& all, config::Problems& problems) {
  std::vector<std::string> known;
  known.reserve(all.scrape.jobs.size());
  for (const ScrapeJob& job : all.scrape.jobs) known.push_back(job.name);
  for (std::size_t i = 0; i < all.autoscale.fleets.size(); ++i) {
    const std::string* job = job_of(all.autoscale.fleets[i].target);
    if (!job || std::find(known.begin(), known.end(), *job) != known.end()) continue;
    const config::Node& fleet = root.find("autoscale")->find("fleets")->children[i];
    const config::Node* node = job_node(fleet);
    const bool shown = node && !node->secret;
    const std::string kind = node ? "." + fleet.find("target")->children.front().key : "";
    problems.add(node ? node->place : fleet.place, "autoscale.fleets[" + std::to_string(i) + "].target" + kind + ".job",
                 shown ? "there is no job " + printable(*job, 60) + " in scrape.jobs" + did_you_mean(*job, known)
                       : "there is no such job in scrape.jobs");
  }
}

void tell(const std::vector<autoscale::FleetFault>& faults, const config::Node& root, config::Problems& problems) {
  for (const autoscale::FleetFault& one : faults) {
    const config::Node& fleet = root.find("autoscale")->find("fleets")->children[one.fleet];
    problems.add(fleet.place, "autoscale.fleets[" + std::to_string(one.fleet) + "]", one.why);
  }
}

Error unreadable(const std::string& file, const std::string& why) {
  return {ErrorCode::invalid_options, Phase::prepare, printable(file) + ": " + why};
}

Result<std::string> text_of(const std::string& file) {
  std::ostringstream text;
  if (file == "-") {
    const int mode = ::fcntl(STDIN_FILENO, F_GETFL);
    if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY) return unreadable("stdin", "is closed");
    text << std::cin.rdbuf();
  } else {
    std::ifstream in(file, std::ios::binary);
    if (!in) return unreadable(file, "there is no such file, or it may not be read");
    std::string bytes(most_bytes + 1, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (in.bad() || (in.gcount() == 0 && !in.eof())) return unreadable(file, "cannot be read");
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    text << bytes;
  }
  if (text.view().size() > most_bytes) return unreadable(file, "is larger than " + print_size(most_bytes));
  return std::move(text).str();
}

}  // namespace

Result<Configuration> parse_configuration(std::string_view text, const std::string& file,
                                          const Surroundings& surroundings) {
  const std::string name = file == "-" ? "stdin" : file;
  Result<std::vector<config::Node>> documents = config::parse_documents(text, name);
  if (!documents) return std::move(documents).error();
  if (documents->size() != 1) {
    return config::error_at(name, {}, documents->empty() ? "holds nothing" : "holds more than one document");
  }
  config::Problems problems(name);
  Configuration out;
  out.references = resolve_references(documents->front(), surroundings, problems);
  config::Reader io(documents->front(), problems);
  if (io.is_map()) {
    fields(io, out, folder_of(file));
    io.finish();
    if (!problems.any()) check_jobs(documents->front(), out, problems);
    if (!problems.any()) tell(autoscale::load_policies(out.autoscale, folder_of(file)), documents->front(), problems);
    if (!problems.any()) tell(autoscale::faults(out.autoscale), documents->front(), problems);
  }
  forget_secrets(documents->front(), out.references);
  if (problems.any()) return problems.error();
  if (Result<void> good = autoscale::check(out.autoscale); !good) {
    return config::error_at(name, {}, good.error().message);
  }
  return out;
}

Result<Configuration> read_configuration(const std::string& file) {
  Result<std::string> text = text_of(file);
  if (!text) return std::move(text).error();
  return parse_configuration(*text, file, surroundings(folder_of(file)));
}

std::string print_configuration(const Configuration& configuration) {
  Configuration copy = configuration;
  config::Node root;
  config::Writer io(root);
  fields(io, copy, "");
  restore_references(root, copy.references);
  return config::print_yaml(root);
}

}  // namespace trunkline::run
