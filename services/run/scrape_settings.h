// The `scrape:` mapping: who is scraped, how often and as whom. Every field is documented in docs/configuration.md.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/config/reader.h"
#include "services/config/writer.h"
#include "services/scrape/collector.h"

namespace trunkline::run {

struct DnsTargets {
  std::string name;
  int port = 0;  // 0: it was not said, which is a mistake
  std::chrono::nanoseconds every = std::chrono::seconds(30);
  bool operator==(const DnsTargets&) const = default;
};

struct JobTls {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string server_name;
  bool insecure_skip_verify = false;
  bool operator==(const JobTls&) const = default;
};

struct ScrapeJob {
  std::string name;
  std::vector<std::string> targets;  // one of these three
  std::string file;
  std::optional<DnsTargets> dns;

  std::string scheme = "http";
  std::string path = "/metrics";
  std::map<std::string, std::string> labels;
  std::string bearer_token;
  std::string bearer_token_file;
  std::string user;
  std::string password;
  std::string password_file;
  std::string proxy;
  std::chrono::nanoseconds prewarm{0};
  JobTls tls;
  bool operator==(const ScrapeJob&) const = default;
};

struct ScrapeLimits {
  std::uint64_t body_bytes = std::uint64_t{64} << 20;
  int samples = 1'000'000;
  bool operator==(const ScrapeLimits&) const = default;
};

struct ScrapeSettings {
  std::chrono::nanoseconds interval = std::chrono::seconds(15);
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  // or the interval, when that is less
  int concurrency = 256;
  ScrapeLimits limits;
  std::vector<ScrapeJob> jobs;
};

// Relative paths count from `folder`.
void scrape_fields(config::Reader& io, ScrapeSettings& scrape, const std::string& folder);
void scrape_fields(config::Writer& io, ScrapeSettings& scrape);

// Of settings that were read without a problem.
std::shared_ptr<const scrape::Job> job_of(const ScrapeJob& job);
std::shared_ptr<scrape::Source> source_of(const ScrapeJob& job);
scrape::CollectorSettings collector_settings(const ScrapeSettings& scrape);

}  // namespace trunkline::run
