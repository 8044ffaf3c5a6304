// The whole of trunkline.yaml: what is read is a value with every default in it, and can be printed again. One mistake
// or many, all are told at once, each with its place.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale_live/settings.h"
#include "services/run/kept_secret.h"
#include "services/run/references.h"
#include "services/run/scrape_settings.h"

namespace trunkline::run {

struct AdminSettings {
  std::string listen = "127.0.0.1:9600";
  std::string certificate_file;  // with it https
  std::string key_file;
  std::string user;          // with a password: who has it may read
  KeptSecret login;          // both of them
  KeptSecret bearer_token;   // or who has this
  bool unprotected = false;  // other machines may read without either
  bool console = true;
  std::vector<std::string> hosts;  // names besides loopback's under which browsers may ask
};

struct Configuration {
  AdminSettings admin;
  std::chrono::nanoseconds drain = std::chrono::seconds(10);
  ScrapeSettings scrape;
  autoscale::AutoscalerSettings autoscale;
  std::vector<Reference> references;  // what of it must not be printed
};

// `file` names it in messages; relative paths in it count from its folder.
Result<Configuration> parse_configuration(std::string_view text, const std::string& file,
                                          const Surroundings& surroundings);
Result<Configuration> read_configuration(const std::string& file);

// The effective configuration. It reads back as the same, unless the file itself holds a password or a token of the
// listener: what stands for those is refused when it is read.
std::string print_configuration(const Configuration& configuration);

}  // namespace trunkline::run
