// Questions to the machine's name servers, on a loop: c-ares with its sockets in the loop's epoll set. It repeats what
// got lost, goes on to the next server, and asks again over TCP when a reply did not fit, all as resolv.conf says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <trunkline/callback.hpp>

#include "net/dns_reply.h"
#include "net/loop.h"

namespace trunkline::net {

struct DnsSetup {
  std::string resolv_conf = "/etc/resolv.conf";
  std::string hosts = "/etc/hosts";
  std::string servers;  // "127.0.0.1:5353,[::1]:53" in place of the file's, for tests
};

// Made, used and destroyed on the loop's thread, but not from inside a callback of ask(). When the loop's thread ends
// first, callbacks that are still open are dropped.
class DnsChannel {
 public:
  DnsChannel(Loop& loop, const DnsSetup& setup);
  ~DnsChannel();
  DnsChannel(const DnsChannel&) = delete;
  DnsChannel& operator=(const DnsChannel&) = delete;

  const std::string& failure() const { return failure_; }  // why no question can be asked, or empty
  const std::vector<std::string>& domains() const { return domains_; }
  int ndots() const { return ndots_; }
  // 'f' for the hosts file and 'b' for name servers, in the order in which they are asked (nsswitch.conf).
  const std::string& sources() const { return sources_; }

  // `name` is asked for as it is. `done` is called once, perhaps from inside this call.
  void ask(const std::string& name, RecordType type, Callback<void(DnsReply)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string failure_;
  std::vector<std::string> domains_;
  int ndots_ = 1;
  std::string sources_ = "fb";
};

}  // namespace trunkline::net
