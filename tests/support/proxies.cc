#include "support/proxies.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>

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
constexpr const char* haproxy = "/usr/sbin/haproxy";
constexpr const char* danted = "/usr/sbin/danted";
constexpr const char* microsocks = "/usr/bin/microsocks";

bool can_run(const char* program) {
  if (access(program, X_OK) == 0) return true;
  if (std::getenv("TRUNKLINE_COMPLETE") != nullptr) ADD_FAILURE() << program << " is missing: script/setup installs it";
  return false;
}

int occurrences(const std::string& file, std::string_view words) {
  const std::string text = read_file(file);
  int count = 0;
  for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
  return count;
}

// Of lines that end with the client's port: how many clients those were.
int different_ports(const std::vector<std::string>& lines) {
  std::set<std::string> ports;
  for (const std::string& line : lines) ports.insert(line.substr(line.rfind(' ') + 1));
  return static_cast<int>(ports.size());
}

// A command with mounts of its own. All that it starts dies with it.
std::vector<std::string> apart(const std::string& command) {
  std::vector<std::string> words{"unshare", "--mount", "--pid", "--fork", "--kill-child"};
  if (geteuid() != 0) words.emplace_back("--map-root-user");
  words.insert(words.end(), {"sh", "-c", command});
  return words;
}

bool may_mount() {
  static const bool permitted = Process(apart("mount --bind /etc/hosts /etc/passwd")).wait() == 0;
  return permitted;
}

}  // namespace

RealProxy::RealProxy() : port_(free_port()) {}

void RealProxy::kill() const {
  process_->send_signal(SIGKILL);
  process_->wait();
}

void RealProxy::restart() { start(); }

std::string RealProxy::hosts() { return directory_.write("hosts", "127.0.0.1 localhost\n"); }

void RealProxy::run(const std::string& command) {
  const std::string mount = "mount --bind " + hosts() + " /etc/hosts && exec ";
  process_ = std::make_unique<Process>(may_mount() ? apart(mount + command)
                                                   : std::vector<std::string>{"/bin/sh", "-c", "exec " + command});
}

bool Tinyproxy::installed() { return can_run(tinyproxy); }

Tinyproxy::Tinyproxy(bool with_login) : with_login_(with_login) { start(); }

void Tinyproxy::start() {
  std::ostringstream text;
  if (geteuid() == 0) text << "User root\n";
  text << "Port " << port_ << "\nListen 127.0.0.1\nAllow 127.0.0.1\nMaxClients 100\nTimeout 60\nLogFile \""
       << path("log") << "\"\nLogLevel Connect\n";
  if (with_login_) text << "BasicAuth user pass\n";
  const std::string file = directory_.write("tinyproxy.conf", text.str());
  run(std::string(tinyproxy) + " -d -c " + file);
  if (!wait_for_port(port_)) throw std::runtime_error("tinyproxy does not start");
}

// "Request (file descriptor 5): CONNECT host:port HTTP/1.1": it answers one on each connection.
int Tinyproxy::connections() const { return occurrences(path("log"), "): CONNECT "); }

bool Squid::installed() { return can_run(squid); }

Squid::Squid(const Certificate& certificate, bool with_login) : certificate_(certificate), with_login_(with_login) {
  tls_port_ = free_port();
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
       << " tls-key=" << directory_.write("key.pem", certificate_.key) << "\nhosts_file " << hosts()
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

int Squid::connections() const { return different_ports(log(0)); }

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

bool Haproxy::installed() { return can_run(haproxy) && Tinyproxy::installed(); }

Haproxy::Haproxy(const Certificate& certificate, bool with_login) : certificate_(certificate), with_login_(with_login) {
  tls_port_ = free_port();
  start();
}

void Haproxy::start() {
  const std::string pem = directory_.write("both.pem", certificate_.certificate + certificate_.key);
  std::ostringstream text;
  text << "global\n  log stdout format raw local0\n"
       << "defaults\n  mode http\n  log global\n  log-format \"%HM %ST %cp\"\n  option dontlognull\n"
       << "  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n  timeout tunnel 60s\n"
       << "userlist known\n  user user insecure-password pass\n"
       << "frontend clients\n  bind 127.0.0.1:" << port_ << "\n  bind 127.0.0.1:" << tls_port_ << " ssl crt " << pem
       << "\n  option http-use-proxy-header\n";
  // With that option it looks for Proxy-Authorization, and says 407.
  if (with_login_) text << "  http-request auth realm test unless { http_auth(known) }\n";
  text << "  http-request del-header Proxy-Authorization\n  use_backend tunnels if METH_CONNECT\n"
       << "  default_backend origins\n"
       << "backend tunnels\n  server behind 127.0.0.1:" << behind_.port() << "\n"
       << "backend origins\n  http-request set-dst str(127.0.0.1)\n  http-request set-dst-port hdr(host),field(2,:)\n"
       << "  http-request set-uri %[pathq]\n  server origin 0.0.0.0:0\n";
  const std::string file = directory_.write("haproxy.cfg", text.str());
  run(std::string(haproxy) + " -db -f " + file + " >>" + path("log"));
  if (!wait_for_port(port_) || !wait_for_port(tls_port_)) throw std::runtime_error("haproxy does not start");
}

int Haproxy::connections() const {
  std::vector<std::string> lines;
  std::istringstream text(read_file(directory_.path() / "log"));
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("<BADREQ>")) lines.push_back(line);
  }
  return different_ports(lines);
}

bool Microsocks::installed() { return can_run(microsocks); }

Microsocks::Microsocks(bool with_login) : with_login_(with_login) { start(); }

void Microsocks::start() {
  // It writes a line on standard error for every connection.
  std::ostringstream command;
  command << microsocks << " -i 127.0.0.1 -p " << port_ << (with_login_ ? " -u user -P pass" : "") << " 2>>"
          << path("log");
  run(command.str());
  if (!wait_for_port(port_)) throw std::runtime_error("microsocks does not start");
}

// "client[5] 127.0.0.1: connected to localhost:8443".
int Microsocks::connections() const { return occurrences(path("log"), ": connected to "); }

bool Dante::installed() { return can_run(danted) && may_mount(); }

Dante::Dante(bool with_login) : with_login_(with_login) { start(); }

void Dante::start() {
  const std::string passwd = directory_.write("passwd", "root:x:0:0::/root:/bin/sh\nuser:x:64000:0::/:/bin/false\n");
  const std::string shadow = directory_.write(
      "shadow",
      "root:*:19000::::::\n"
      "user:$6$trunkline$mj.dL1eaz/"
      "2hFf8thg0MlJRYqrNeONJRwWflpo4ggBSTRjJpBcdav1Fvt7wrPri6yf8WB4vG93XxKgBmwcbja0:19000::::::\n");  // "pass"
  std::ostringstream text;
  text << "logoutput: " << path("log") << "\ninternal: 127.0.0.1 port = " << port_ << "\nexternal: 127.0.0.1\n"
       << "clientmethod: none\nsocksmethod: " << (with_login_ ? "username" : "none")
       << "\nuser.privileged: root\nuser.unprivileged: root\n"
       << "client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n"
       << "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 log: connect }\n";
  const std::string file = directory_.write("danted.conf", text.str());
  std::ostringstream command;
  command << "mount --bind " << hosts() << " /etc/hosts && mount --bind " << passwd << " /etc/passwd && mount --bind "
          << shadow << " /etc/shadow && exec " << danted << " -f " << file << " -p " << path("pid");
  process_ = std::make_unique<Process>(apart(command.str()));
  if (!wait_for_port(port_)) throw std::runtime_error("dante does not start:\n" + read_file(path("log")));
}

// "pass(1): tcp/connect [: username%user@127.0.0.1.41422 ...": a session has begun.
int Dante::connections() const { return occurrences(path("log"), ": tcp/connect ["); }

}  // namespace trunkline::test
