// A name server for tests, on loopback over UDP and TCP. It answers what the test has written into it, holds replies
// back until the test lets them go, and counts the questions.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/dns_reply.h"
#include "net/peers.h"

namespace trunkline::net::peers {

inline void put16(std::string& out, unsigned int value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}
inline void put32(std::string& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xFFFF);
}
inline void put_name(std::string& out, const std::string& name) {
  for (std::size_t start = 0; start < name.size();) {
    const std::size_t end = std::min(name.find('.', start), name.size());
    out += static_cast<char>(end - start);
    out.append(name, start, end - start);
    start = end + 1;
  }
  out += '\0';
}
inline void put_record(std::string& out, const std::string& name, unsigned int type, std::uint32_t ttl,
                       const std::string& data) {
  put_name(out, name);
  put16(out, type);
  put16(out, 1);
  put32(out, ttl);
  put16(out, static_cast<unsigned int>(data.size()));
  out += data;
}

struct DnsScript {
  unsigned int rcode = 0;        // 2: SERVFAIL, 3: NXDOMAIN, 5: REFUSED
  std::vector<std::string> ips;  // none: the name has no address of the type
  std::uint32_t ttl = 60;
  std::string alias;  // the name is an alias of this one, which has the addresses
  std::uint32_t alias_ttl = 60;
  std::optional<std::uint32_t> denial_ttl;  // an SOA record with this minimum
  bool truncated = false;                   // over UDP: "ask again over TCP"
  bool held = false;                        // until release()
};

// The whole message. `id` and `question` (name, type) as they were asked.
inline std::string dns_message(std::uint16_t id, const std::string& name, RecordType type, const DnsScript& script,
                               bool cut = false) {
  std::string answers;
  unsigned int count = 0;
  if (!script.alias.empty()) {
    std::string target;
    put_name(target, script.alias);
    put_record(answers, name, 5, script.alias_ttl, target);
    ++count;
  }
  for (const std::string& ip : script.ips) {
    Address address;
    check(Address::parse(ip, 0, address), "an IP address of a script");
    const std::string& owner = script.alias.empty() ? name : script.alias;
    put_record(answers, owner, static_cast<unsigned int>(type), script.ttl, std::string(address.ip()));
    ++count;
  }
  std::string authority;
  if (script.denial_ttl) {
    std::string soa;
    put_name(soa, "ns.test");
    put_name(soa, "root.test");
    for (const std::uint32_t value : {1u, 3600u, 600u, 86400u, *script.denial_ttl}) put32(soa, value);
    put_record(authority, "test", 6, 3600, soa);
  }
  std::string message;
  put16(message, id);
  put16(message, 0x8180 | (cut ? 0x0200 : 0) | script.rcode);
  put16(message, 1);
  put16(message, cut ? 0 : count);
  put16(message, cut || authority.empty() ? 0 : 1);
  put16(message, 0);
  put_name(message, name);
  put16(message, static_cast<unsigned int>(type));
  put16(message, 1);
  return cut ? message : message + answers + authority;
}

class DnsServer {
 public:
  DnsServer() {
    // One port that is free for both.
    for (int attempt = 0;; ++attempt) {
      tcp_ = std::make_unique<Listener>();
      udp_ = Socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in name{};
      name.sin_family = AF_INET;
      name.sin_port = htons(tcp_->port());
      name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::bind(udp_.fd(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0) break;
      check(attempt < 20, "bind");
    }
    wake_ = Socket(::eventfd(0, EFD_CLOEXEC));
    udp_thread_ = std::thread([this] { serve_udp(); });
    tcp_thread_ = std::thread([this] { serve_tcp(); });
  }
  ~DnsServer() {
    const std::uint64_t one = 1;
    check(::write(wake_.fd(), &one, sizeof one) == sizeof one, "write");
    tcp_->stop();
    udp_thread_.join();
    tcp_thread_.join();
  }
  std::string text() const { return "127.0.0.1:" + std::to_string(tcp_->port()); }

  // What is not set has no name.
  void set(const std::string& name, RecordType type, DnsScript script) {
    std::lock_guard lock(mutex_);
    scripts_[{name, type}] = std::move(script);
  }
  void set(const std::string& name, const std::vector<std::string>& ips, std::uint32_t ttl = 60) {
    for (const RecordType type : {RecordType::a, RecordType::aaaa}) {
      DnsScript script;
      script.ttl = ttl;
      std::copy_if(ips.begin(), ips.end(), std::back_inserter(script.ips), [type](const std::string& ip) {
        return (ip.find(':') != std::string::npos) == (type == RecordType::aaaa);
      });
      set(name, type, script);
    }
  }
  // For both types.
  void set_both(const std::string& name, const DnsScript& script) {
    set(name, RecordType::a, script);
    set(name, RecordType::aaaa, script);
  }
  // Sends the replies that were held, with what the script says by now.
  void release(const std::string& name, RecordType type) {
    std::lock_guard lock(mutex_);
    scripts_[{name, type}].held = false;
    for (const Held& held : std::exchange(held_, {})) {
      if (held.name == name && held.type == type) {
        send_udp(held);
      } else {
        held_.push_back(held);
      }
    }
  }

  int asked(const std::string& name, RecordType type) {
    std::lock_guard lock(mutex_);
    return asked_[{name, type}];
  }
  // Waits until so many questions came.
  bool was_asked(const std::string& name, RecordType type, int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(patience_ms),
                             [&] { return asked_[{name, type}] >= times; });
  }
  int asked_over_tcp() {
    std::lock_guard lock(mutex_);
    return asked_over_tcp_;
  }

 private:
  using Key = std::pair<std::string, RecordType>;
  struct Held {
    std::uint16_t id = 0;
    std::string name;
    RecordType type = RecordType::a;
    sockaddr_in from{};
  };

  static Held read(std::string_view bytes) {
    Held question;
    if (bytes.size() < 17) return question;
    const auto at = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    question.id = static_cast<std::uint16_t>(at(0) << 8 | at(1));
    std::size_t i = 12;
    for (; i < bytes.size() && at(i) != 0; i += at(i) + 1u) {
      question.name += (question.name.empty() ? "" : ".") + std::string(bytes.substr(i + 1, at(i)));
    }
    if (i + 2 < bytes.size()) question.type = static_cast<RecordType>(at(i + 1) << 8 | at(i + 2));
    return question;
  }

  DnsScript note(const Held& question) {
    ++asked_[{question.name, question.type}];
    changed_.notify_all();
    const auto found = scripts_.find({question.name, question.type});
    if (found != scripts_.end()) return found->second;
    DnsScript unknown;
    unknown.rcode = 3;
    return unknown;
  }

  void send_udp(const Held& question) {
    const auto found = scripts_.find({question.name, question.type});
    DnsScript script;
    script.rcode = 3;
    if (found != scripts_.end()) script = found->second;
    const std::string message = dns_message(question.id, question.name, question.type, script, script.truncated);
    ::sendto(udp_.fd(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&question.from),
             sizeof question.from);
  }

  void serve_udp() {
    for (;;) {
      pollfd entries[] = {{udp_.fd(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
      ::poll(entries, 2, -1);
      if (entries[1].revents) return;
      char buffer[2048];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t received =
          ::recvfrom(udp_.fd(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (received <= 0) continue;
      Held question = read({buffer, static_cast<std::size_t>(received)});
      question.from = from;
      std::lock_guard lock(mutex_);
      if (note(question).held) {
        held_.push_back(question);
      } else {
        send_udp(question);
      }
    }
  }

  void serve_tcp() {
    for (;;) {
      const Socket peer = tcp_->accept();
      if (peer.fd() < 0) return;
      char size[2];
      if (::recv(peer.fd(), size, 2, MSG_WAITALL) != 2) continue;
      std::string bytes(
          static_cast<std::size_t>(static_cast<unsigned char>(size[0]) << 8 | static_cast<unsigned char>(size[1])),
          '\0');
      if (::recv(peer.fd(), bytes.data(), bytes.size(), MSG_WAITALL) != static_cast<ssize_t>(bytes.size())) continue;
      const Held question = read(bytes);
      std::string reply;
      {
        std::lock_guard lock(mutex_);
        ++asked_over_tcp_;
        const std::string message = dns_message(question.id, question.name, question.type, note(question));
        put16(reply, static_cast<unsigned int>(message.size()));
        reply += message;
      }
      peer.send(reply);
      wait_for(peer.fd(), POLLIN);  // the client closes
    }
  }

  std::unique_ptr<Listener> tcp_;
  Socket udp_;
  Socket wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, DnsScript> scripts_;
  std::map<Key, int> asked_;
  std::vector<Held> held_;
  int asked_over_tcp_ = 0;
  std::thread udp_thread_;
  std::thread tcp_thread_;
};

}  // namespace trunkline::net::peers
