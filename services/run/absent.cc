#include "services/run/absent.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <variant>

#include "base/text.h"
#include "services/run/configuration.h"

namespace trunkline::run {
namespace {

class Look {
 public:
  void readable(const std::string& field, const std::string& file) {
    if (!file.empty()) look(field, file, R_OK, "cannot be read");
  }
  // A file that is made, and made anew, in a folder that is there. Where that has a fleet's name in it, nobody knows.
  void writable_beside(const std::string& field, const std::string& file) {
    const std::string folder_of_it = std::filesystem::path(file).parent_path().string();
    if (file.empty() || folder_of_it.find("${") != std::string::npos) return;
    look(field, folder_of_it, W_OK, "cannot be written");
  }
  // A folder that is made when it is needed.
  void folder(const std::string& field, std::filesystem::path path) {
    if (path.empty()) return;
    while (path.has_relative_path() && ::access(path.c_str(), F_OK) != 0) path = path.parent_path();
    look(field, path.string(), W_OK, "cannot be written");
  }
  std::vector<std::string> found = {};

 private:
  void look(const std::string& field, const std::string& path, int mode, const std::string& what) {
    if (::access(path.c_str(), mode) == 0) return;
    const std::string why = std::generic_category().message(errno);
    found.push_back(field + ": " + printable(path) + " " + what + " now: " + why);
  }
};

void look_at(Look& look, const std::string& field, const autoscale::TargetSettings& target) {
  if (const auto* process = std::get_if<autoscale::ProcessTargetSettings>(&target)) {
    look.folder(field + ".process.log", process->log_folder);
  }
  if (const auto* split = std::get_if<autoscale::SplitSettings>(&target)) {
    for (std::size_t i = 0; i < split->parts.size(); ++i) {
      look.folder(field + ".processes[" + std::to_string(i) + "].log", split->parts[i].process.log_folder);
    }
  }
}

}  // namespace

std::vector<std::string> absent_files(const Configuration& configuration) {
  Look look;
  for (std::size_t i = 0; i < configuration.scrape.jobs.size(); ++i) {
    const ScrapeJob& job = configuration.scrape.jobs[i];
    const std::string field = "scrape.jobs[" + std::to_string(i) + "]";
    look.readable(field + ".file", job.file);
    look.readable(field + ".bearer_token_file", job.bearer_token_file);
    look.readable(field + ".password_file", job.password_file);
    look.readable(field + ".tls.ca_file", job.tls.ca_file);
    look.readable(field + ".tls.certificate_file", job.tls.certificate_file);
    look.readable(field + ".tls.key_file", job.tls.key_file);
  }
  look.writable_beside("autoscale.state", configuration.autoscale.state);
  look.writable_beside("autoscale.record", configuration.autoscale.record);
  for (std::size_t i = 0; i < configuration.autoscale.fleets.size(); ++i) {
    look_at(look, "autoscale.fleets[" + std::to_string(i) + "].target", configuration.autoscale.fleets[i].target);
  }
  return std::move(look.found);
}

}  // namespace trunkline::run
