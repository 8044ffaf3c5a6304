// A machine for tests of the resolver: its name server, its resolv.conf and its hosts file are the test's own.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/test_folder.h"
#include "net/dns_server.h"
#include "net/peers.h"
#include "net/resolver.h"

namespace trunkline::net::peers {

using Answer = Result<std::vector<Address>>;

inline Answer resolve_and_wait(Loop& loop, const std::string& host, std::uint16_t port = 80) {
  std::promise<Answer> promise;
  auto future = promise.get_future();
  resolve(loop, host, port, [&](Answer answer) {
    EXPECT_TRUE(loop.on_this_thread());
    promise.set_value(std::move(answer));
  });
  EXPECT_TRUE(arrived(future));
  return future.get();
}

// "[2001:db8::1]:80 192.0.2.1:80", or the error's message.
inline std::string text(const Answer& answer) {
  if (!answer) return answer.error().message;
  std::string out;
  for (const Address& address : *answer) out += (out.empty() ? "" : " ") + address.text();
  return out;
}

inline std::string ask(Loop& loop, const std::string& host) { return text(resolve_and_wait(loop, host)); }

inline DnsScript with_code(unsigned int rcode) {
  DnsScript script;
  script.rcode = rcode;
  return script;
}

inline DnsScript held(std::vector<std::string> ips) {
  DnsScript script;
  script.ips = std::move(ips);
  script.held = true;
  return script;
}

class ResolverTest : public ::testing::Test, protected TestFolder {
 protected:
  ResolverTest() {
    write("resolv.conf", "");
    write("hosts", "");
    start();
  }
  ~ResolverTest() override { use_dns_for_tests({}); }

  void start(const NameCacheLimits& limits = {}) { use_dns_for_tests(setup(), limits); }
  DnsSetup setup() const {
    DnsSetup setup;
    setup.servers = server.text();
    setup.resolv_conf = path("resolv.conf");
    setup.hosts = path("hosts");
    return setup;
  }
  // Every answer is out of date at once, and serves on while look-ups fail.
  static NameCacheLimits nothing_fresh() {
    NameCacheLimits limits;
    limits.least = limits.most = Clock::duration::zero();
    return limits;
  }

  DnsServer server;
};

}  // namespace trunkline::net::peers
