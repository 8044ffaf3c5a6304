#include "support/faultd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <mutex>
#include <stdexcept>

#include "base/text.h"

namespace trunkline::test {
namespace {

namespace json = boost::json;

// The process, and one connection to its control port per thread.
class Faultd {
 public:
  static Faultd& get() {
    static Faultd* const made = new Faultd;  // ends with us: its standard input closes
    return *made;
  }

  json::value ask(const json::object& request) {
    static thread_local Line line(control_);
    const json::value answer = json::parse(line.ask(json::serialize(request) + "\n"));
    if (const auto* error = answer.as_object().if_contains("error")) {
      throw std::runtime_error("faultd: " + json::serialize(*error) + " to " + json::serialize(request));
    }
    return answer;
  }

 private:
  class Line {
   public:
    explicit Line(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(static_cast<std::uint16_t>(port));
      if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("faultd's control port does not answer");
      }
      const int yes = 1;
      setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    ~Line() { ::close(fd_); }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    std::string ask(std::string_view request) const {
      while (!request.empty()) {
        const ssize_t size = send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
        if (size <= 0) throw std::runtime_error("faultd has gone");
        request.remove_prefix(static_cast<std::size_t>(size));
      }
      std::string answer;
      std::array<char, 65536> chunk{};
      while (answer.empty() || answer.back() != '\n') {
        const ssize_t size = recv(fd_, chunk.data(), chunk.size(), 0);
        if (size <= 0) throw std::runtime_error("faultd has gone");
        answer.append(chunk.data(), static_cast<std::size_t>(size));
      }
      return answer;
    }

   private:
    int fd_;
  };

  Faultd() : process_({"python3", TRUNKLINE_TESTS_DIR "/faultd/faultd.py"}) {
    const std::string line = process_.read_line();
    if (line.empty()) throw std::runtime_error("faultd does not start; is there a python3?");
    control_ = static_cast<int>(json::parse(line).at("control").as_int64());
  }

  Process process_;
  int control_ = 0;
};

json::value ask(std::string_view op, int port, json::object more = {}) {
  more["op"] = op;
  more["port"] = port;
  return Faultd::get().ask(more);
}

std::string text(const json::object& from, std::string_view name) { return std::string(from.at(name).as_string()); }
int number(const json::object& from, std::string_view name) { return static_cast<int>(from.at(name).as_int64()); }

LoggedRequest request_of(const json::object& from) {
  LoggedRequest request;
  request.connection = number(from, "connection");
  request.number = number(from, "number");
  request.method = text(from, "method");
  request.target = text(from, "target");
  request.head = text(from, "head");
  request.body = text(from, "body");
  request.trailers = text(from, "trailers");
  for (const json::value& problem : from.at("problems").as_array()) request.problems.emplace_back(problem.as_string());
  request.body_bytes = from.at("body_bytes").as_int64();
  request.sent_bytes = from.at("sent_bytes").as_int64();
  request.complete = from.at("complete").as_bool();
  return request;
}

LoggedConnection connection_of(const json::object& from) {
  LoggedConnection connection;
  connection.id = number(from, "id");
  connection.requests = number(from, "requests");
  connection.peer_port = number(from, "peer_port");
  connection.peer = text(from, "peer");
  connection.tls = text(from, "tls");
  connection.resumed = from.at("resumed").as_bool();
  connection.sni = text(from, "sni");
  connection.alpn = text(from, "alpn");
  connection.client = text(from, "client");
  connection.closed = text(from, "closed");
  const json::value* const said = from.if_contains("h2");
  if (said == nullptr) return connection;
  const json::object& h2 = said->as_object();
  connection.http2 = true;
  connection.goaway = h2.at("goaway").as_int64();
  connection.goaway_debug = text(h2, "goaway_debug");
  for (const json::value& each : h2.at("resets").as_array()) {
    connection.resets.emplace_back(static_cast<int>(each.at(0).as_int64()), each.at(1).as_int64());
  }
  connection.pings = number(h2, "pings");
  connection.ping_acks = number(h2, "ping_acks");
  connection.settings_acks = number(h2, "settings_acks");
  connection.received = h2.at("received").as_int64();
  return connection;
}

}  // namespace

std::string LoggedRequest::field(std::string_view name) const {
  std::size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string::npos) {
    at += 2;
    const std::size_t colon = head.find(':', at);
    if (colon == std::string::npos) break;
    if (colon - at == name.size() && strncasecmp(head.data() + at, name.data(), name.size()) == 0) {
      const std::size_t start = head.find_first_not_of(' ', colon + 1);
      const std::size_t end = std::min(head.find("\r\n", colon), head.size());
      return start >= end ? "" : head.substr(start, end - start);
    }
  }
  return "(none)";
}

Listener::Listener(const Serve& serve) : secure_(serve.certificate != nullptr) {
  json::object request{{"scenario", serve.scenario}};
  json::object settings;
  for (const auto& [name, value] : serve.settings) settings[name] = value;
  request["settings"] = std::move(settings);
  if (serve.certificate != nullptr) {
    request["tls"] = {{"certificate", serve.certificate->certificate_file},
                      {"key", serve.certificate->key_file},
                      {"client_ca", serve.client_ca},
                      {"version", serve.version},
                      {"alpn", serve.alpn},
                      {"optional", serve.tls_optional}};
  }
  port_ = static_cast<int>(ask("listen", 0, std::move(request)).at("port").as_int64());
}

std::string Listener::url(std::string_view host, std::string_view path) const {
  std::string url(secure_ ? "https://" : "http://");
  url.append(host).append(":").append(std::to_string(port_)).append(path);
  return url;
}

std::string Listener::scenario(std::string_view name, std::string_view arguments) const {
  std::string path("/scenario/");
  path.append(name);
  if (!arguments.empty()) path.append("?").append(arguments);
  return url(path);
}

std::string Listener::attack(std::string_view name, std::string_view arguments) const {
  std::string path("/attack/");
  path.append(name);
  if (!arguments.empty()) path.append("?").append(arguments);
  return url(path);
}

std::string Listener::raw(std::string_view bytes, std::string_view arguments) const {
  std::string all("b64=");
  all.append(base64url(bytes));
  if (!arguments.empty()) all.append("&").append(arguments);
  return scenario("raw", all);
}

ServerLog Listener::log() const {
  const json::value answer = ask("log", port_);
  const json::object& from = answer.as_object();
  ServerLog log;
  log.accepts = number(from, "accepts");
  log.open = number(from, "open");
  log.held = number(from, "held");
  log.handshake_failures = number(from, "handshake_failures");
  for (const json::value& each : from.at("requests").as_array()) log.requests.push_back(request_of(each.as_object()));
  for (const json::value& each : from.at("connections").as_array()) {
    log.connections.push_back(connection_of(each.as_object()));
  }
  return log;
}

void Listener::reset() const { ask("reset", port_); }

bool Listener::wait_for(std::string_view what, std::int64_t at_least) const {
  return ask("wait", port_, {{"what", what}, {"at_least", at_least}}).at("reached").as_bool();
}

bool Listener::wait_for_exactly(std::string_view what, std::int64_t value) const {
  return ask("wait", port_, {{"what", what}, {"exactly", value}}).at("reached").as_bool();
}

void Listener::release(int count) const { ask("release", port_, {{"count", count}}); }
void Listener::tell(std::string_view order) const { ask("tell", port_, {{"order", order}}); }
void Listener::set(std::string_view name, std::string_view value) const {
  ask("settings", port_, {{"settings", {{name, value}}}});
}
void Listener::up() const { ask("up", port_); }
void Listener::close() const { ask("close", port_); }

std::string base64url(std::string_view bytes) {
  std::string text = base64(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string pattern(std::size_t size) {
  static constexpr std::string_view line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
  std::string bytes;
  bytes.reserve(size + line.size());
  while (bytes.size() < size) bytes.append(line);
  bytes.resize(size);
  return bytes;
}

}  // namespace trunkline::test
