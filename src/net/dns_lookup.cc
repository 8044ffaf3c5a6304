#include "net/dns_lookup.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/dns_names.h"
#include "net/hosts_file.h"

namespace trunkline::net {
namespace {

constexpr auto resolution_delay = std::chrono::milliseconds(50);
constexpr auto slow_after = std::chrono::seconds(1);  // an old answer is better than to wait on (RFC 8767)
constexpr auto hosts_ttl = std::chrono::seconds(30);  // the file has none

bool found(const std::optional<DnsReply>& reply) { return reply && reply->outcome == DnsOutcome::found; }
bool failed(const std::optional<DnsReply>& reply) { return reply && reply->outcome == DnsOutcome::failed; }

class Lookup;

// What the lookups of one loop share. When the loop's thread ends, they end with it and call nobody.
struct Desk {
  std::unordered_map<Lookup*, std::shared_ptr<Lookup>> lookups;
  HostsFile hosts;
  std::shared_ptr<DnsChannel> channel;
  std::shared_ptr<const DnsSetup> setup;
  FileStamp resolv_conf;

  static Desk& of_this_thread() {
    thread_local Desk desk;
    return desk;
  }
  // A new one when resolv.conf has changed; who still asks on the old one keeps it.
  std::shared_ptr<DnsChannel> channel_for(Loop& loop, const std::shared_ptr<const DnsSetup>& wanted);
};

class Lookup final : Timer {
 public:
  Lookup(Loop& loop, std::shared_ptr<const DnsSetup> setup, std::string name, Callback<void(LookupNews)> tell)
      : loop_(loop), setup_(std::move(setup)), name_(std::move(name)), tell_(std::move(tell)) {}

  void start();

 private:
  void ask_next();
  void ask(RecordType type, std::optional<DnsReply> Lookup::* where);
  void step();
  void answer(LookupNews::Kind kind);
  void finish(DnsReply reply);
  void on_timer() override;

  Loop& loop_;
  const std::shared_ptr<const DnsSetup> setup_;
  const std::string name_;
  Callback<void(LookupNews)> tell_;

  std::shared_ptr<DnsChannel> channel_;
  std::vector<std::string> names_;  // still to be tried, the next one last
  std::optional<DnsReply> ipv6_;
  std::optional<DnsReply> ipv4_;
  DnsReply denial_;      // of the names tried so far
  bool asking_ = false;  // replies may come from inside the question
  bool told_ = false;    // a part
  bool over_ = false;
};

std::shared_ptr<DnsChannel> Desk::channel_for(Loop& loop, const std::shared_ptr<const DnsSetup>& wanted) {
  const FileStamp now = FileStamp::of(wanted->resolv_conf);
  if (!channel || setup != wanted || resolv_conf != now || !channel->failure().empty()) {
    channel = std::make_shared<DnsChannel>(loop, *wanted);
    setup = wanted;
    resolv_conf = now;
  }
  return channel;
}

void Lookup::start() {
  Desk& desk = Desk::of_this_thread();
  channel_ = desk.channel_for(loop_, setup_);
  const std::string& sources = channel_->sources();
  // The file after the name servers, which nobody configures, is taken for the file first.
  if (sources.find('f') != std::string::npos) {
    DnsReply reply;
    reply.addresses = desk.hosts.find(setup_->hosts, name_);
    if (!reply.addresses.empty()) {
      reply.outcome = DnsOutcome::found;
      reply.ttl = hosts_ttl;
      return finish(std::move(reply));
    }
  }
  denial_.outcome = DnsOutcome::no_name;
  if (sources.find('b') != std::string::npos) names_ = search_list(name_, channel_->domains(), channel_->ndots());
  std::reverse(names_.begin(), names_.end());
  loop_.set_timer(*this, Clock::now() + slow_after);
  ask_next();
}

void Lookup::ask_next() {
  if (names_.empty()) return finish(std::move(denial_));
  ipv6_.reset();
  ipv4_.reset();
  asking_ = true;
  ask(RecordType::aaaa, &Lookup::ipv6_);
  ask(RecordType::a, &Lookup::ipv4_);
  asking_ = false;
  names_.pop_back();
  step();
}

void Lookup::ask(RecordType type, std::optional<DnsReply> Lookup::* where) {
  channel_->ask(names_.back(), type, [this, where](DnsReply reply) {
    this->*where = std::move(reply);
    if (!asking_) step();
  });
}

void Lookup::step() {
  switch (next_step(ipv6_, ipv4_)) {
    case NextStep::wait:
      return;
    case NextStep::wait_briefly:
      return loop_.set_timer(*this, Clock::now() + resolution_delay);
    case NextStep::answer:
      return answer(LookupNews::over);
    case NextStep::try_next_name: {
      // "It has no address" says more than "no such name", which is what the rest of the search list comes to.
      const bool exists = ipv6_->outcome == DnsOutcome::no_address || ipv4_->outcome == DnsOutcome::no_address;
      if (exists) denial_.outcome = DnsOutcome::no_address;
      for (const auto& reply : {ipv6_, ipv4_}) {
        if (reply->ttl && (!denial_.ttl || *reply->ttl < *denial_.ttl)) denial_.ttl = reply->ttl;
      }
      return ask_next();
    }
    case NextStep::fail:
      return finish(std::move(failed(ipv4_) ? *ipv4_ : *ipv6_));
  }
}

void Lookup::answer(LookupNews::Kind kind) {
  DnsReply both;
  both.outcome = DnsOutcome::found;
  for (const auto* family : {&ipv6_, &ipv4_}) {
    if (!found(*family)) continue;
    const DnsReply& reply = **family;
    both.addresses.insert(both.addresses.end(), reply.addresses.begin(), reply.addresses.end());
    both.ttl = both.ttl && reply.ttl ? std::min(*both.ttl, *reply.ttl) : reply.ttl;
  }
  if (kind == LookupNews::over) return finish(std::move(both));
  told_ = true;
  tell_({kind, std::move(both)});
}

void Lookup::finish(DnsReply reply) {
  over_ = true;
  loop_.cancel_timer(*this);
  loop_.retire([self = this] { Desk::of_this_thread().lookups.erase(self); });
  auto tell = std::move(tell_);
  tell({LookupNews::over, std::move(reply)});
}

void Lookup::on_timer() {
  if (over_ || told_) return;
  if (found(ipv6_) || found(ipv4_)) return answer(LookupNews::partial);
  tell_({LookupNews::slow, {}});
}

}  // namespace

NextStep next_step(const std::optional<DnsReply>& ipv6, const std::optional<DnsReply>& ipv4) {
  const bool some = found(ipv6) || found(ipv4);
  if (!ipv6 || !ipv4) return some ? NextStep::wait_briefly : NextStep::wait;
  if (some) return NextStep::answer;
  return failed(ipv6) || failed(ipv4) ? NextStep::fail : NextStep::try_next_name;
}

void look_up(Loop& loop, std::shared_ptr<const DnsSetup> setup, std::string name, Callback<void(LookupNews)> tell) {
  auto lookup = std::make_shared<Lookup>(loop, std::move(setup), std::move(name), std::move(tell));
  Desk::of_this_thread().lookups.emplace(lookup.get(), lookup);
  loop.post([started = std::weak_ptr<Lookup>(lookup)] {
    if (const auto alive = started.lock()) alive->start();
  });
}

}  // namespace trunkline::net
