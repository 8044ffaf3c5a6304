#include "support/serving.h"

#include <sys/socket.h>

#include <algorithm>

#include "support/certificates.h"

namespace trunkline::test {

using server::ConnectionEnd;
using server::Gauges;

Raw::Raw(int port, int buffer_bytes) : socket_(net::peers::connect_to(static_cast<std::uint16_t>(port), buffer_bytes)) {
  net::forget_descriptor(socket_.fd());
}

Raw& Raw::send(std::string_view bytes) {
  // The server may have closed already; what it said first is still to be read.
  while (!bytes.empty()) {
    const ssize_t size = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return *this;
}

void Raw::finish() const { ::shutdown(socket_.fd(), SHUT_WR); }

bool Raw::more() {
  if (!net::peers::wait_for(socket_.fd(), POLLIN)) {
    kept_ += "... nothing more came in time";
    return false;
  }
  char bytes[65536];
  const ssize_t size = ::recv(socket_.fd(), bytes, sizeof bytes, 0);
  if (size > 0) kept_.append(bytes, static_cast<std::size_t>(size));
  if (size < 0) was_reset_ = true;
  return size > 0;
}

std::string Raw::rest() {
  while (more()) {
  }
  std::string all = std::exchange(kept_, {});
  if (was_reset_) all += ", then reset";
  return all;
}

std::string Raw::until(std::string_view end) {
  std::size_t at = 0;
  while ((at = kept_.find(end)) == std::string::npos) {
    if (!more()) return std::exchange(kept_, {});
  }
  std::string found = kept_.substr(0, at + end.size());
  kept_.erase(0, at + end.size());
  return found;
}

std::string Raw::response() {
  std::string all = until("\r\n\r\n");
  const std::string length = field_of(all, "Content-Length");
  const std::size_t size = length.empty() ? 0 : std::stoull(length);
  while (kept_.size() < size && more()) {
  }
  all += kept_.substr(0, size);
  kept_.erase(0, std::min(size, kept_.size()));
  return all;
}

int status_of(std::string_view response) {
  if (!response.starts_with("HTTP/1.") || response.size() < 12) return 0;
  return std::stoi(std::string(response.substr(9, 3)));
}

std::string body_of(std::string_view response) {
  const std::size_t end = response.find("\r\n\r\n");
  return end == std::string_view::npos ? std::string() : std::string(response.substr(end + 4));
}

std::string field_of(std::string_view response, std::string_view name) {
  for (std::string_view rest = response; !rest.empty() && !rest.starts_with("\r\n");) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    if (line.size() > name.size() + 1 && line[name.size()] == ':' &&
        equals_ignore_case(line.substr(0, name.size()), name)) {
      const std::string_view value = line.substr(name.size() + 1);
      return std::string(value.substr(std::min(value.find_first_not_of(' '), value.size())));
    }
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
  }
  return {};
}

server::Settings ServingTest::quick() {
  server::Settings settings;
  settings.listen = {{.address = "127.0.0.1:0"}};
  settings.loops = 2;
  return settings;
}

server::Settings ServingTest::secure() {
  server::Settings settings = quick();
  settings.listen.front().secure = true;
  settings.tls.certificates = {{server_certificate().certificate_file, server_certificate().key_file}};
  return settings;
}

server::Server& ServingTest::serve(server::Handler handler, server::Settings settings) {
  secure_ = settings.listen.front().secure;
  auto started = server::Server::start(std::move(settings), std::move(handler));
  if (!started) throw std::runtime_error(started.error().message);
  server_ = *std::move(started);
  return *server_;
}

server::Server& ServingTest::serve(server::Router router, server::Settings settings) {
  return serve(std::move(router).handler().value(), std::move(settings));
}

int ServingTest::port() const {
  const std::string& address = server_->addresses().front();
  return std::stoi(address.substr(address.rfind(':') + 1));
}

std::string ServingTest::url(std::string_view path) const {
  return (secure_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port()) + std::string(path);
}

::testing::AssertionResult ServingTest::ended_for(ConnectionEnd reason, std::uint64_t count) const {
  if (eventually([&] { return gauges().ended_for(reason) == count; })) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << gauges().describe();
}

::testing::AssertionResult ServingTest::header_time_runs_out() const {
  const std::string answer = Raw(port()).send("GET / HTTP/1.1\r\nHo").rest();
  if (status_of(answer) == 408) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "a head that does not come was not given up: " << answer;
}

::testing::AssertionResult ServingTest::at_rest() const {
  if (eventually([&] { return gauges().quiet(); })) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << gauges().describe();
}

void ServingTest::TearDown() {
  if (!server_) return;
  EXPECT_TRUE(gauges().adds_up()) << gauges().describe();
  server_->drain(seconds(0));
  const Gauges last = gauges();
  EXPECT_TRUE(last.adds_up() && last.quiet()) << last.describe();
  server_.reset();
}

}  // namespace trunkline::test
