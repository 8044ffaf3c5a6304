#include "support/proxies.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace trunkline::test {
namespace {

constexpr const char* tinyproxy = "/usr/bin/tinyproxy";
constexpr const char* squid = "/usr/sbin/squid";
constexpr const char* squid_login_helper = "/usr/lib/squid/basic_ncsa_auth";
constexpr const char* microsocks = "/usr/bin/microsocks";

bool can_run(const char* program) { return access(program, X_OK) == 0; }

}  // namespace

bool Tinyproxy::installed() { return can_run(tinyproxy); }

Tinyproxy::Tinyproxy(bool with_login) : port_(free_port()) {
  std::ostringstream text;
  if (geteuid() == 0) text << "User root\n";
  text << "Port " << port_ << "\nListen 127.0.0.1\nAllow 127.0.0.1\nMaxClients 100\nTimeout 60\nLogFile \""
       << (directory_.path() / "log").string() << "\"\n";
  if (with_login) text << "BasicAuth user pass\n";
  const std::string file = directory_.write("tinyproxy.conf", text.str());
  process_ = std::make_unique<Process>(std::vector<std::string>{tinyproxy, "-d", "-c", file});
  if (!wait_for_port(port_)) throw std::runtime_error("tinyproxy does not start");
}

bool Squid::installed() { return can_run(squid); }

Squid::Squid(const Certificate& certificate) : port_(free_port()), tls_port_(free_port()) {
  const std::string directory = directory_.path().string();
  // As root it drops its rights, and must still write here.
  ::chmod(directory.c_str(), 0777);  // NOLINT: a directory of the test, gone after it
  directory_.write("users", "user:$apr1$n5PblMlX$Qyv5iAnGBfNS/YwsbLjp9.\n");  // "pass"
  std::ostringstream text;
  text << "http_port 127.0.0.1:" << port_ << "\nhttps_port 127.0.0.1:" << tls_port_
       << " tls-cert=" << directory_.write("cert.pem", certificate.certificate)
       << " tls-key=" << directory_.write("key.pem", certificate.key)
       << "\nvisible_hostname localhost\npid_filename none\npinger_enable off\ncache deny all\ncoredump_dir none\n"
       << "shutdown_lifetime 0 seconds\nbuffered_logs off\ncache_log " << directory << "/cache.log\n"
       << "logformat oracle %rm %ru %>Hs\naccess_log stdio:" << directory << "/access.log logformat=oracle\n"
       << "auth_param basic program " << squid_login_helper << " " << directory << "/users\n"
       << "auth_param basic children 1\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n";
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

Microsocks::Microsocks(bool with_login) : port_(free_port()) {
  // It writes a line for every connection and cannot be told not to.
  std::ostringstream command;
  command << "exec " << microsocks << " -i 127.0.0.1 -p " << port_ << (with_login ? " -u user -P pass" : "")
          << " 2>/dev/null";
  process_ = std::make_unique<Process>(std::vector<std::string>{"/bin/sh", "-c", command.str()});
  if (!wait_for_port(port_)) throw std::runtime_error("microsocks does not start");
}

}  // namespace trunkline::test
