#include "support/nginx.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>
#include <cstdlib>

#include <sstream>
#include <stdexcept>
#include <thread>

namespace trunkline::test {
namespace {

constexpr const char* program = "/usr/sbin/nginx";

std::string configuration(const NginxOptions& options, const std::string& directory, int port) {
  std::ostringstream text;
  if (geteuid() == 0) text << "user root;\n";
  text << "daemon off;\nmaster_process " << (options.master ? "on" : "off") << ";\nworker_processes 1;\n"
       << "worker_shutdown_timeout 20s;\n"
       << "pid " << directory << "/pid;\nerror_log " << directory << "/error.log warn;\n"
       << "events { worker_connections 4096; }\n"
       << "http {\n"
       << "  log_format oracle '$connection $connection_requests $status $ssl_protocol $ssl_session_reused "
          "$ssl_client_s_dn';\n"
       << "  access_log " << directory << "/access.log oracle;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    text << "  " << kind << "_temp_path " << directory << "/" << kind << ";\n";
  }
  text << "  server {\n    listen 127.0.0.1:" << port << (options.certificate != nullptr ? " ssl" : "")
       << (options.http2 ? " http2" : "") << " backlog=1024;\n";
  if (options.certificate != nullptr) {
    text << "    ssl_certificate " << options.certificate->certificate_file << ";\n    ssl_certificate_key "
         << options.certificate->key_file << ";\n    ssl_protocols " << options.protocols << ";\n";
  }
  if (!options.client_ca.empty()) {
    text << "    ssl_client_certificate " << options.client_ca << ";\n    ssl_verify_client on;\n";
  }
  text << "    client_max_body_size 0;\n    root " << directory << "/files;\n    " << options.server << "\n"
       << "    location = /small { default_type text/plain; return 200 \"small\"; }\n  }\n}\n";
  return text.str();
}

}  // namespace

bool Nginx::installed() {
  if (access(program, X_OK) == 0) return true;
  if (std::getenv("TRUNKLINE_COMPLETE") != nullptr) ADD_FAILURE() << program << " is missing: script/setup installs it";
  return false;
}

Nginx::Nginx(const NginxOptions& options) : port_(free_port()), secure_(options.certificate != nullptr) {
  const std::string directory = directory_.path().string();
  directory_.write("files/large", std::string(1 << 20, 'n'));
  const std::string file = directory_.write("nginx.conf", configuration(options, directory, port_));
  process_ = std::make_unique<Process>(
      std::vector<std::string>{program, "-e", directory + "/error.log", "-p", directory, "-c", file});
  if (!wait_for_port(port_)) throw std::runtime_error("nginx does not start:\n" + read_file(directory + "/error.log"));
}

Nginx::~Nginx() {
  process_->send_signal(SIGTERM);  // it tells its workers
  process_->wait();
}

std::string Nginx::url(std::string_view path) const {
  return (secure_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) + std::string(path);
}

void Nginx::reload() const { process_->send_signal(SIGHUP); }

std::vector<Nginx::Line> Nginx::log(std::size_t at_least) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    std::vector<Line> lines;
    std::istringstream text(read_file(directory_.path() / "access.log"));
    for (std::string row; std::getline(text, row);) {
      Line line;
      std::istringstream fields(row);
      fields >> line.connection >> line.request >> line.status >> line.protocol >> line.resumed >> line.client;
      lines.push_back(line);
    }
    if (lines.size() >= at_least || std::chrono::steady_clock::now() > deadline) return lines;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace trunkline::test
