#include "services/run/scrape_settings.h"

#include <algorithm>
#include <set>
#include <utility>

#include <trunkline/url.hpp>

#include "base/characters.h"
#include "base/text.h"
#include "services/run/labelled_source.h"
#include "services/run/optional_fields.h"
#include "services/scrape/target_file.h"
#include "url/proxy_url.h"

namespace trunkline::run {
namespace {

using config::Named;
using std::chrono::milliseconds;

constexpr std::size_t most_jobs = 1000;
constexpr int most_samples = 100'000'000;

constexpr Named<bool> schemes[] = {{"http", false}, {"https", true}};

void scheme_field(config::Reader& io, std::string& scheme) {
  bool secure = false;
  io.choice("scheme", secure, schemes);
  scheme = secure ? "https" : "http";
}
void scheme_field(config::Writer& io, const std::string& scheme) { io.word("scheme", scheme); }

template <class Io>
void tls_fields(Io& io, JobTls& tls, const std::string& folder) {
  path_field(io, "ca_file", tls.ca_file, folder);
  path_field(io, "certificate_file", tls.certificate_file, folder);
  path_field(io, "key_file", tls.key_file, folder);
  optional_text(io, "server_name", tls.server_name);
  io.boolean("insecure_skip_verify", tls.insecure_skip_verify);
}

bool is_host(const std::string& name) {
  const Result<Url> url = Url::parse("http://" + name);
  return url && !url->has_explicit_port() && url->target() == "/" && name.find_first_of("/?#@") == std::string::npos;
}

template <class Io>
void dns_fields(Io& io, DnsTargets& dns) {
  io.text("name", dns.name);
  io.integer("port", dns.port, 1, 65535);
  io.span("every", dns.every, std::chrono::seconds(1));
  io.require(!dns.name.empty() && dns.port > 0, "", "needs name and port");
  io.require(dns.name.empty() || is_host(dns.name), "name", "this cannot be a host's name");
}

void check_targets(config::Reader& io, const ScrapeJob& job) {
  const config::Node* targets = io.node().find("targets");
  if (!targets || targets->kind != config::Node::Kind::list) return;
  const auto described = job_of(job);
  for (std::size_t i = 0; i < targets->children.size(); ++i) {
    const config::Node& child = targets->children[i];
    if (child.kind != config::Node::Kind::scalar) continue;
    const Result<scrape::TargetPtr> target = make_target(described, child.text);
    if (target) continue;
    io.problem(
        child, "targets[" + std::to_string(i) + "]",
        child.secret ? "is no target: expected host:port, or a URL without user and password" : target.error().message);
  }
}

void check_file(config::Reader& io, const ScrapeJob& job) {
  if (job.file.empty()) return;
  const Result<scrape::FileFormat> format = scrape::file_format(job.file);
  io.require(format.has_value(), "file", "expected a file of file_sd, named .json, .yml or .yaml");
}

bool is_label(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !name.empty() && !is_digit(name.front()) && !name.starts_with("__") &&
         std::ranges::all_of(name, [&](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

void check_labels(config::Reader& io, const ScrapeJob& job) {
  for (const auto& [name, value] : job.labels) {
    io.require(is_label(name), "labels",
               "\"" + printable(name, 60) +
                   "\" cannot be a label: letters, digits and _, no digit in front, nor __, which is Prometheus' own");
  }
}

void check_job(config::Reader& io, const ScrapeJob& job) {
  const int ways = (io.has("targets") ? 1 : 0) + (io.has("file") ? 1 : 0) + (io.has("dns") ? 1 : 0);
  io.require(ways == 1, "", "needs exactly one of targets, file and dns");
  io.require(!job.name.empty(), "name", "a job needs a name");
  const bool good_path = job.path.starts_with('/') && Url::parse("http://host" + job.path).has_value();
  io.require(good_path, "path", "expected a path that begins with /, as it stands in a URL");
  const Result<void> good = check(*job_of(job));
  io.require(good.has_value(), "", good ? "" : good.error().message);
  io.require(job.user.empty() || !job.password.empty() || !job.password_file.empty(), "user",
             "needs password or password_file");
  io.require(job.tls.key_file.empty() || !job.tls.certificate_file.empty(), "tls",
             "key_file is the key of certificate_file, which is not given");
  if (const auto proxy = parse_proxy_url(job.proxy); !proxy) io.require(false, "proxy", proxy.error().message);
  check_labels(io, job);
  if (good_path) check_targets(io, job);
  check_file(io, job);
}
void check_job(config::Writer& /*io*/, const ScrapeJob& /*job*/) {}

template <class Io>
void job_fields(Io& io, ScrapeJob& job, const std::string& folder) {
  io.text("name", job.name);
  optional_texts(io, "targets", job.targets);
  path_field(io, "file", job.file, folder);
  io.optional_object("dns", job.dns, [](auto& in, DnsTargets& dns) { dns_fields(in, dns); });
  scheme_field(io, job.scheme);
  io.text("path", job.path);
  io.texts_by_name("labels", job.labels, 64);
  optional_text(io, "bearer_token", job.bearer_token);
  path_field(io, "bearer_token_file", job.bearer_token_file, folder);
  optional_text(io, "user", job.user);
  optional_text(io, "password", job.password);
  path_field(io, "password_file", job.password_file, folder);
  optional_text(io, "proxy", job.proxy);
  io.span("prewarm", job.prewarm, std::chrono::nanoseconds(0));
  io.object("tls", [&](auto& in) { tls_fields(in, job.tls, folder); });
  check_job(io, job);
}

void check_names(config::Reader& io, const std::vector<ScrapeJob>& jobs) {
  const config::Node* list = io.node().find("jobs");
  std::set<std::string> known;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].name.empty() || known.insert(jobs[i].name).second) continue;
    const config::Node& job = list->children[i];
    const config::Node* name = job.find("name");
    io.problem(name ? *name : job, "jobs[" + std::to_string(i) + "].name", "another job has that name already");
  }
}
void check_names(config::Writer& /*io*/, const std::vector<ScrapeJob>& /*jobs*/) {}

void check_prewarm(config::Reader& io, const ScrapeSettings& scrape) {
  const config::Node* list = io.node().find("jobs");
  for (std::size_t i = 0; i < scrape.jobs.size(); ++i) {
    if (scrape.jobs[i].prewarm < scrape.interval) continue;
    const config::Node* prewarm = list->children[i].find("prewarm");
    if (!prewarm) continue;
    io.problem(*prewarm, "jobs[" + std::to_string(i) + "].prewarm",
               "must be shorter than the interval, which is " + print_duration(scrape.interval));
  }
}
void check_prewarm(config::Writer& /*io*/, const ScrapeSettings& /*scrape*/) {}

template <class Io>
void all_fields(Io& io, ScrapeSettings& scrape, const std::string& folder) {
  io.span("interval", scrape.interval, milliseconds(100));
  if constexpr (Io::reading) scrape.timeout = scrape::settings_for(scrape.interval).timeout;
  io.span("timeout", scrape.timeout, milliseconds(10));
  io.integer("concurrency", scrape.concurrency, 1, 100'000);
  io.object("limits", [&](auto& in) {
    in.size("body", scrape.limits.body_bytes, 1024, std::uint64_t{1} << 40);
    in.integer("samples", scrape.limits.samples, 1, most_samples);
  });
  io.list("jobs", scrape.jobs, [&](auto& in, ScrapeJob& job) { job_fields(in, job, folder); }, most_jobs);
  check_names(io, scrape.jobs);
  check_prewarm(io, scrape);
  const Result<void> good = check(collector_settings(scrape).schedule);
  io.require(good.has_value(), "", good ? "" : good.error().message);
}

}  // namespace

void scrape_fields(config::Reader& io, ScrapeSettings& scrape, const std::string& folder) {
  all_fields(io, scrape, folder);
}
void scrape_fields(config::Writer& io, ScrapeSettings& scrape) { all_fields(io, scrape, ""); }

std::shared_ptr<const scrape::Job> job_of(const ScrapeJob& job) {
  auto out = std::make_shared<scrape::Job>();
  out->name = job.name;
  out->scheme = job.scheme;
  out->path = job.path;
  out->tls.ca_file = job.tls.ca_file;
  out->tls.certificate_file = job.tls.certificate_file;
  out->tls.key_file = job.tls.key_file;
  out->tls.server_name = job.tls.server_name;
  out->tls.insecure_skip_verify = job.tls.insecure_skip_verify;
  out->proxy = job.proxy;
  out->prewarm = job.prewarm;
  out->bearer_token = job.bearer_token;
  out->bearer_token_file = job.bearer_token_file;
  out->basic_user = job.user;
  out->basic_password = job.password;
  out->basic_password_file = job.password_file;
  return out;
}

std::shared_ptr<scrape::Source> source_of(const ScrapeJob& job) {
  const auto described = job_of(job);
  std::shared_ptr<scrape::Source> source;
  if (job.dns) {
    scrape::DnsSource::Place place;
    place.host = job.dns->name;
    place.port = static_cast<std::uint16_t>(job.dns->port);
    place.every = job.dns->every;
    source = std::make_shared<scrape::DnsSource>(place, described);
  } else if (!job.file.empty()) {
    source = std::make_shared<scrape::FileSource>(job.file, described);
  } else {
    std::vector<scrape::TargetPtr> targets;
    targets.reserve(job.targets.size());
    for (const std::string& one : job.targets) {
      // What cannot be a target was refused when it was read.
      if (Result<scrape::TargetPtr> target = make_target(described, one)) targets.push_back(std::move(*target));
    }
    source = std::make_shared<scrape::StaticSource>(std::move(targets));
  }
  if (job.labels.empty()) return source;
  return std::make_shared<LabelledSource>(std::move(source), scrape::Labels(job.labels.begin(), job.labels.end()));
}

scrape::CollectorSettings collector_settings(const ScrapeSettings& scrape) {
  scrape::CollectorSettings out;
  out.schedule = scrape::settings_for(scrape.interval);
  out.schedule.timeout = scrape.timeout;
  out.schedule.concurrency = static_cast<std::size_t>(scrape.concurrency);
  out.limits.body_bytes = scrape.limits.body_bytes;
  out.limits.samples = static_cast<std::uint64_t>(scrape.limits.samples);
  return out;
}

}  // namespace trunkline::run
