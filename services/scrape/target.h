// What is scraped, and as whom: a target is a URL with labels, a job says how its targets are asked. One target is one
// GET, however many jobs and subscribers name it, and all of them get the answer: its identity is the URL with whatever
// the server could tell apart.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

namespace trunkline::scrape {

// How the targets of one origin of targets are asked. Files are read again when they change.
struct Job {
  std::string name = "scrape";
  std::string scheme = "http";    // of targets that are given as "host:port"
  std::string path = "/metrics";  // of the same
  TlsOptions tls;
  std::string proxy;         // none: the environment's proxies are not for pods
  std::string bearer_token;  // one of these four ways, or none
  std::string bearer_token_file;
  std::string basic_user;
  std::string basic_password;
  std::string basic_password_file;
  // So long before a target is asked a connection to it is opened, unless one is. For servers that close idle ones
  // sooner than the next scrape comes. Zero: never; less than the server's idle time, or it is in vain.
  std::chrono::nanoseconds prewarm{0};
};

// Why a job cannot be used, or nothing.
Result<void> check(const Job& job);

// The part of a target's identity that its job makes: who asks, with what trust. A digest, so it holds no secret; it is
// kept in memory only all the same.
std::string access_key(const Job& job);

using Labels = std::vector<std::pair<std::string, std::string>>;  // sorted by name

struct Target {
  std::string url;         // normalised
  std::string instance;    // "host:port": how people know it
  bool usual_path = true;  // that of its job
  Labels labels;           // of its source
  std::shared_ptr<const Job> job;
  std::string access;  // access_key() of the job
  std::string identity;
  std::uint64_t hash = 0;  // of the identity
};
using TargetPtr = std::shared_ptr<const Target>;

// `address` is "host:port", "host" or a URL. The labels __scheme__ and __metrics_path__ change how that one target is
// asked, as in Prometheus; other labels that begin with "__" are dropped.
Result<TargetPtr> make_target(const std::shared_ptr<const Job>& job, std::string_view address, Labels labels = {});

struct TargetChanges {
  std::vector<TargetPtr> added;
  std::vector<TargetPtr> removed;
  std::vector<TargetPtr> relabelled;  // the same target, labelled or warmed otherwise: nothing begins anew
  std::size_t kept = 0;
};

// Of targets with one identity the first counts. Both lists stay as they are.
TargetChanges changes(const std::vector<TargetPtr>& before, const std::vector<TargetPtr>& after);

}  // namespace trunkline::scrape
