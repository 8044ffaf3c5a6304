#include "services/scrape/target.h"

#include <algorithm>
#include <unordered_map>

#include <trunkline/url.hpp>

#include "base/sha256.h"
#include "base/text.h"

namespace trunkline::scrape {
namespace {

// Prometheus spreads its targets by the same function; ours need not agree with it, only be stable over restarts.
std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

// Without what stands before an "@": that may be a password.
Error refused(std::string_view address, const std::string& why) {
  address = address.substr(address.rfind('@') + 1);
  return {ErrorCode::invalid_url, Phase::prepare, "the target " + printable(address) + " cannot be scraped: " + why};
}

std::string take(Labels& labels, std::string_view name) {
  for (const auto& [label, value] : labels) {
    if (label == name) return value;
  }
  return "";
}

bool is_told_otherwise(const Target& before, const Target& after) {
  return before.labels != after.labels || before.job->name != after.job->name ||
         before.job->prewarm != after.job->prewarm;
}

}  // namespace

Result<void> check(const Job& job) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::invalid_options, Phase::prepare, "the job " + printable(job.name) + ": " + why);
  };
  const bool basic = !job.basic_user.empty() || !job.basic_password.empty() || !job.basic_password_file.empty();
  const int ways = int{!job.bearer_token.empty()} + int{!job.bearer_token_file.empty()} + int{basic};
  if (ways > 1) return refuse("give one of a bearer token, a token file, or a user with password, not several");
  if (!job.basic_password.empty() && !job.basic_password_file.empty()) {
    return refuse("give a password or a password file, not both");
  }
  if (job.basic_user.find(':') != std::string::npos) return refuse("a user's name cannot hold a colon");
  if (job.prewarm < std::chrono::nanoseconds(0)) return refuse("prewarm is a time before the scrape, or zero");
  if (job.scheme != "http" && job.scheme != "https") return refuse("the scheme is http or https");
  return {};
}

std::string access_key(const Job& job) {
  Sha256 digest;
  // Each with its length, so that no two jobs can be spelt alike.
  const auto add = [&](std::string_view field) {
    digest.update(std::to_string(field.size()) + ":");
    digest.update(field);
  };
  for (const std::string* field :
       {&job.proxy, &job.bearer_token, &job.bearer_token_file, &job.basic_user, &job.basic_password,
        &job.basic_password_file, &job.tls.ca_file, &job.tls.ca_directory, &job.tls.ca_pem, &job.tls.certificate_file,
        &job.tls.certificate_pem, &job.tls.key_file, &job.tls.key_pem, &job.tls.server_name}) {
    add(*field);
  }
  add(job.tls.insecure_skip_verify ? "any" : "verified");
  add(job.tls.minimum_version == TlsVersion::tls_1_3 ? "1.3" : "1.2");
  return hex(digest.finish()).substr(0, 32);
}

Result<TargetPtr> make_target(const std::shared_ptr<const Job>& job, std::string_view address, Labels labels) {
  constexpr std::size_t most_labels = 64;
  if (labels.size() > most_labels) return refused(address, "it has more than 64 labels");
  std::string text(address);
  bool path_of_job = false;
  if (address.find("://") == std::string_view::npos) {
    if (address.find_first_of("/?#") != std::string_view::npos) {
      return refused(address, "give host:port, or a whole URL with http:// or https://");
    }
    const std::string scheme = take(labels, "__scheme__");
    const std::string path = take(labels, "__metrics_path__");
    path_of_job = path.empty();
    text = (scheme.empty() ? job->scheme : scheme) + "://" + text + (path.empty() ? job->path : path);
  }
  Result<Url> url = Url::parse(text);
  if (!url) {
    return refused(address, text.find('@') == std::string::npos ? url.error().message : "it is no valid URL");
  }
  if (url->scheme() != "http" && url->scheme() != "https") return refused(address, "the scheme is http or https");
  if (url->has_userinfo()) return refused(address, "user and password belong in the job, not in the URL");

  auto target = std::make_shared<Target>();
  target->url = url->text();
  const bool ipv6 = url->ip_version() == 6;
  target->instance = (ipv6 ? "[" : "") + std::string(url->host()) + (url->rooted() ? "." : "") + (ipv6 ? "]:" : ":") +
                     std::to_string(url->port());
  target->usual_path = path_of_job || url->target() == job->path;  // which need not be in its normal form
  std::erase_if(labels, [](const auto& label) { return label.first.starts_with("__"); });
  std::sort(labels.begin(), labels.end());
  target->labels = std::move(labels);
  target->job = job;
  target->access = access_key(*job);
  target->identity = target->url + " " + target->access;
  target->hash = fnv1a(target->identity);
  return TargetPtr(std::move(target));
}

TargetChanges changes(const std::vector<TargetPtr>& before, const std::vector<TargetPtr>& after) {
  TargetChanges result;
  std::unordered_map<std::string_view, const TargetPtr*> old;
  for (const TargetPtr& target : before) old.emplace(target->identity, &target);
  std::unordered_map<std::string_view, bool> seen;
  for (const TargetPtr& target : after) {
    if (!seen.emplace(target->identity, true).second) continue;
    const auto known = old.find(target->identity);
    if (known == old.end()) {
      result.added.push_back(target);
    } else if (is_told_otherwise(**known->second, *target)) {
      result.relabelled.push_back(target);
    } else {
      ++result.kept;
    }
  }
  for (const auto& [identity, target] : old) {
    if (!seen.contains(identity)) result.removed.push_back(*target);
  }
  return result;
}

}  // namespace trunkline::scrape
