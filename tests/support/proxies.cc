#include "support/proxies.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace trunkline::test {
namespace {

constexpr const char* tinyproxy = "/usr/bin/tinyproxy";
constexpr const char* squid = "/usr/sbin/squid";
constexpr const char* squid_login_helper = "/usr/lib/squid/basic_ncsa_auth";
constexpr const char* microsocks = "/usr/bin/microsocks";

bool can_run(const char* program) { return access(program, X_OK) == 0; }

int occurrences(const std::string& file, std::string_view words) {
  const std::string text = read_file(file);
  int count = 0;
  for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
  return count;
}

}  // namespace

RealProxy::RealProxy() : port_(free_port()) {}

void RealProxy::kill() const {
  process_->send_signal(SIGKILL);
  process_->wait();
}

void RealProxy::restart() { start(); }

bool Tinyproxy::installed() { return can_run(tinyproxy); }

Tinyproxy::Tinyproxy(bool with_login) : with_login_(with_login) { start(); }

void Tinyproxy::start() {
  std::ostringstream text;
  if (geteuid() == 0) text << "User root\n";
  text << "Port " << port_ << "\nListen 127.0.0.1\nAllow 127.0.0.1\nMaxClients 100\nTimeout 60\nLogFile \""
       << path("log") << "\"\nLogLevel Connect\n";
  if (with_login_) text << "BasicAuth user pass\n";
  const std::string file = directory_.write("tinyproxy.conf", text.str());
  process_ = std::make_unique<Process>(std::vector<std::string>{tinyproxy, "-d", "-c", file});
  if (!wait_for_port(port_)) throw std::runtime_error("tinyproxy does not start");
}

// "Request (file descriptor 5): CONNECT host:port HTTP/1.1": it answers one on each connection.
int Tinyproxy::connections() const { return occurrences(path("log"), "): CONNECT "); }

bool Squid::installed() { return can_run(squid); }

Squid::Squid(const Certificate& certificate, bool with_login)
    : certificate_(certificate), with_login_(with_login), tls_port_(free_port()) {
  start();
}

void Squid::start() {
  const std::string directory = directory_.path().string();
  // As root it drops its rights, and must still write here.
  ::chmod(directory.c_str(), 0777);  // NOLINT: a directory of the test, gone after it
  directory_.write("users", "user:$apr1$n5PblMlX$Qyv5iAnGBfNS/YwsbLjp9.\n");  // "pass"
  std::ostringstream text;
  text << "http_port 127.0.0.1:" << port_ << "\nhttps_port 127.0.0.1:" << tls_port_
       << " tls-cert=" << directory_.write("cert.pem", certificate_.certificate)
       << " tls-key=" << directory_.write("key.pem", certificate_.key)
       << "\nvisible_hostname localhost\npid_filename none\npinger_enable off\ncache deny all\ncoredump_dir none\n"
       << "shutdown_lifetime 0 seconds\nbuffered_logs off\ncache_log " << directory << "/cache.log\n"
       << "logformat oracle %rm %ru %>Hs %>p\naccess_log stdio:" << directory << "/access.log logformat=oracle\n";
  if (with_login_) {
    text << "auth_param basic program " << squid_login_helper << " " << directory << "/users\n"
         << "auth_param basic children 1\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny "
            "all\n";
  } else {
    text << "http_access allow all\n";
  }
  const std::string file = directory_.write("squid.conf", text.str());
  process_ = std::make_unique<Process>(std::vector<std::string>{squid, "-N", "-f", file});
  if (!wait_for_port(port_) || !wait_for_port(tls_port_)) {
    throw std::runtime_error("squid does not start:\n" + read_file(directory + "/cache.log"));
  }
}

Squid::~Squid() {
  process_->send_signal(SIGTERM);  // it ends its helpers
  process_->wait();
}

int Squid::connections() const {
  std::set<std::string> ports;
  for (const std::string& line : log(0)) ports.insert(line.substr(line.rfind(' ') + 1));
  return static_cast<int>(ports.size());
}

std::vector<std::string> Squid::log(std::size_t at_least) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    std::vector<std::string> lines;
    std::istringstream text(read_file(directory_.path() / "access.log"));
    for (std::string line; std::getline(text, line);) {
      // The probes that waited for the ports said nothing, and it notes that as an error.
      if (!line.starts_with("NONE") && !line.starts_with("-")) lines.push_back(line);
    }
    if (lines.size() >= at_least || std::chrono::steady_clock::now() > deadline) return lines;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

bool Microsocks::installed() { return can_run(microsocks); }

Microsocks::Microsocks(bool with_login) : with_login_(with_login) { start(); }

void Microsocks::start() {
  // It writes a line on standard error for every connection.
  std::ostringstream command;
  command << "exec " << microsocks << " -i 127.0.0.1 -p " << port_ << (with_login_ ? " -u user -P pass" : "") << " 2>>"
          << path("log");
  process_ = std::make_unique<Process>(std::vector<std::string>{"/bin/sh", "-c", command.str()});
  if (!wait_for_port(port_)) throw std::runtime_error("microsocks does not start");
}

// "client[5] 127.0.0.1: connected to localhost:8443".
int Microsocks::connections() const { return occurrences(path("log"), ": connected to "); }

}  // namespace trunkline::test
