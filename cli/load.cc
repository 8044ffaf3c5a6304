#include "load.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <trunkline/client.hpp>
#include <trunkline/environment_proxy.hpp>
#include <trunkline/url.hpp>

#include "base/text.h"
#include "exit_code.h"
#include "fail.h"
#include "inbox.h"
#include "interrupt.h"
#include "load_report.h"
#include "output.h"
#include "plan.h"
#include "secrecy.h"
#include "socket_census.h"
#include "stats_sum.h"
#include "transport_options.h"
#include "url/no_proxy.h"
#include "url/proxy_url.h"

namespace trunkline::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

enum class Mode : unsigned char { shared, recreate, isolated };

struct Cpu {
  std::chrono::nanoseconds user{0};
  std::chrono::nanoseconds system{0};

  static Cpu now() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto time = [](const timeval& t) {
      return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
    };
    return {time(usage.ru_utime), time(usage.ru_stime)};
  }
};

// A tally holds 30 KB of buckets, so many callers share one.
struct Shard {
  std::mutex mutex;
  Tally tally;
};
constexpr std::size_t shards = 32;

// One of the concurrent callers. Its fields belong to whichever thread runs its present step.
struct Caller {
  Shard* shard = nullptr;
  SteadyClock::time_point asked;
  std::shared_ptr<Transport> transport;  // of the request under way

  std::mutex mutex;  // over the start of each request: its answer may come before start() has returned
  CallHandle handle;
};

struct Settings {
  std::string url;
  int concurrency = 1;
  Mode mode = Mode::shared;
  bool blocking = false;
  std::optional<std::uint64_t> requests;
  std::optional<Duration> duration;
};

class LoadRun {
 public:
  LoadRun(const Settings& settings, const Options& options, const Request& request)
      : settings_(settings),
        options_(options),
        request_(request),
        common_(settings.mode == Mode::isolated ? nullptr : Transport::shared(options)),
        shards_(shards),
        callers_(static_cast<std::size_t>(settings.concurrency)) {
    for (std::size_t i = 0; i < callers_.size(); ++i) callers_[i].shard = &shards_[i % shards];
  }

  LoadReport run();

 private:
  bool may_ask();
  std::shared_ptr<Transport> next_transport();
  void record(Caller& caller, const Result<Response>& response);

  void ask_blocking(Caller& caller);
  void ask(Caller& caller);
  void answered(Caller& caller, const Result<Response>& response);
  void bury(const std::shared_ptr<Transport>& transport);
  void one_stopped();

  void wait_for_callers();
  void cancel_all();
  void show_progress();
  Stats stats() const;

  const Settings settings_;
  const Options options_;
  const Request request_;
  const std::shared_ptr<Transport> common_;
  std::vector<Shard> shards_;
  std::vector<Caller> callers_;

  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> asked_ = 0;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<int> running_ = 0;
  SteadyClock::time_point began_;
  SteadyClock::time_point until_ = SteadyClock::time_point::max();

  // Private transports end here and not on a loop thread, which must not wait.
  Inbox undertaker_;
  mutable std::mutex ended_mutex_;
  StatsSum ended_;
};

bool LoadRun::may_ask() {
  if (stopping_.load(std::memory_order_relaxed)) return false;
  if (settings_.duration && SteadyClock::now() >= until_) return false;
  return !settings_.requests || asked_.fetch_add(1, std::memory_order_relaxed) < *settings_.requests;
}

std::shared_ptr<Transport> LoadRun::next_transport() {
  switch (settings_.mode) {
    case Mode::shared:
      return common_;
    case Mode::recreate:
      return Transport::shared(options_);
    case Mode::isolated:
      return Transport::create(options_);
  }
  return common_;
}

void LoadRun::record(Caller& caller, const Result<Response>& response) {
  answered_.fetch_add(1, std::memory_order_relaxed);
  const auto latency = SteadyClock::now() - caller.asked;
  const std::lock_guard lock(caller.shard->mutex);
  Tally& tally = caller.shard->tally;
  if (response) {
    tally.latency.add(latency);
    ++tally.completed;
    tally.body_bytes += response->body.size();
    ++tally.statuses[response->status];
    return;
  }
  const Error& error = response.error();
  // What we cut off at the end is no failure of anything.
  if (stopping_ && error.kind == ErrorKind::cancelled) return;
  ++tally.failed[static_cast<std::size_t>(error.kind)];
  ++tally.failed_by_code[error.code];
  if (!tally.first_error) tally.first_error = error;
}

void LoadRun::ask_blocking(Caller& caller) {
  while (may_ask()) {
    caller.asked = SteadyClock::now();
    const std::shared_ptr<Transport> transport = next_transport();
    record(caller, Client(transport).send(request_));
    if (settings_.mode == Mode::isolated) bury(transport);
  }
  one_stopped();
}

void LoadRun::ask(Caller& caller) {
  const std::lock_guard lock(caller.mutex);
  if (!may_ask()) return one_stopped();
  caller.asked = SteadyClock::now();
  caller.transport = next_transport();
  const Client client(caller.transport);
  caller.handle =
      client.start(request_, [this, &caller](const Result<Response>& response) { answered(caller, response); });
}

void LoadRun::answered(Caller& caller, const Result<Response>& response) {
  record(caller, response);
  if (settings_.mode != Mode::isolated) return ask(caller);
  undertaker_.post([this, &caller] {
    bury(caller.transport);
    caller.transport.reset();
    ask(caller);
  });
}

void LoadRun::bury(const std::shared_ptr<Transport>& transport) {
  transport->invalidate();
  transport->drain(std::chrono::seconds(1));
  const Stats stats = transport->stats();
  const std::lock_guard lock(ended_mutex_);
  ended_.add_private(stats);
}

// The last thing that a caller does.
void LoadRun::one_stopped() {
  undertaker_.post([this] { --running_; });
}

void LoadRun::cancel_all() {
  for (Caller& caller : callers_) {
    const std::lock_guard lock(caller.mutex);
    caller.handle.cancel();
  }
}

void LoadRun::show_progress() {
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - began_).count();
  const std::uint64_t count = answered_.load(std::memory_order_relaxed);
  std::fprintf(stderr, "\r%8.1f s  %12llu requests  %10.1f/s \x1b[K", seconds, static_cast<unsigned long long>(count),
               static_cast<double>(count) / std::max(seconds, 1e-9));
}

void LoadRun::wait_for_callers() {
  const bool progress = isatty(STDERR_FILENO) != 0;
  constexpr auto tick = milliseconds(100);
  constexpr auto grace = std::chrono::seconds(2);
  SteadyClock::time_point cut_off = SteadyClock::time_point::max();
  SteadyClock::time_point next_tick = SteadyClock::now() + tick;
  while (running_ > 0) {
    if (undertaker_.run_one(next_tick)) continue;
    next_tick = SteadyClock::now() + tick;
    if (progress) show_progress();
    const bool time_is_up = settings_.duration && SteadyClock::now() >= until_;
    if ((interrupted() || time_is_up) && !stopping_.exchange(true)) cut_off = SteadyClock::now() + grace;
    if (SteadyClock::now() >= cut_off) cancel_all();
  }
  if (progress) std::fputs("\r\x1b[K", stderr);
}

Stats LoadRun::stats() const {
  if (common_) return common_->stats();
  const std::lock_guard lock(ended_mutex_);
  return ended_.total();
}

LoadReport LoadRun::run() {
  const Stats before = stats();
  const Cpu cpu_before = Cpu::now();
  began_ = SteadyClock::now();
  if (settings_.duration) until_ = began_ + *settings_.duration;
  running_ = settings_.concurrency;
  std::vector<std::thread> threads;
  for (Caller& caller : callers_) {
    if (settings_.blocking) {
      threads.emplace_back([this, &caller] { ask_blocking(caller); });
    } else {
      ask(caller);
    }
  }
  wait_for_callers();
  for (std::thread& thread : threads) thread.join();

  LoadReport report;
  report.elapsed = SteadyClock::now() - began_;
  const Cpu cpu = Cpu::now();
  report.cpu_user = cpu.user - cpu_before.user;
  report.cpu_system = cpu.system - cpu_before.system;
  const Stats after = stats();
  report.pool = difference(after.pool, before.pool);
  report.retries = after.requests.retries - before.requests.retries;
  report.broken_law = after.broken_law();
  for (Caller& caller : callers_) const std::lock_guard last_step(caller.mutex);  // may still be on its way out
  for (const Shard& shard : shards_) report.tally.add(shard.tally);
  report.interrupted = interrupted();
  return report;
}

Result<Settings> settings_from(const LoadFlags& flags) {
  Settings settings;
  settings.url = flags.url;
  settings.blocking = flags.blocking;
  settings.concurrency = flags.concurrency;
  if (flags.concurrency < 1 || flags.concurrency > 1'000'000) {
    return misuse("-c " + std::to_string(flags.concurrency) + ": want 1 to 1000000");
  }
  if (flags.blocking && flags.concurrency > 10'000)
    return misuse("--blocking takes a thread per caller: want at most 10000");
  if (flags.mode == "recreate") {
    settings.mode = Mode::recreate;
  } else if (flags.mode == "isolated") {
    settings.mode = Mode::isolated;
  } else if (flags.mode != "shared") {
    return misuse("--mode " + printable(flags.mode, 40) + ": want shared, recreate or isolated");
  }
  if (flags.requests && !flags.duration.empty()) return misuse("-n and -d exclude each other");
  if (flags.requests && *flags.requests < 1)
    return misuse("-n " + std::to_string(*flags.requests) + ": want at least 1");
  if (flags.requests) {
    settings.requests = static_cast<std::uint64_t>(*flags.requests);
    return settings;
  }
  Result<Duration> duration = parse_duration(flags.duration.empty() ? "10s" : flags.duration);
  if (!duration) return misuse("-d " + printable(flags.duration, 40) + ": " + duration.error().message);
  settings.duration = *duration;
  return settings;
}

std::uint16_t port_of(const Options& options, const Url& url) {
  const auto proxy = parse_proxy_url(options.proxy);
  if (!proxy || !*proxy || NoProxy(options.no_proxy).covers(url)) return url.port();
  return (*proxy)->port;
}

int refuse(const Error& error) {
  std::fprintf(stderr, "trunkline load: %s\n", error.message.c_str());
  return exit_misuse;
}

}  // namespace

int run_load(const LoadFlags& flags) {
  Result<Options> options = options_from(flags.transport);
  if (!options) return refuse(options.error());
  const Result<Settings> settings = settings_from(flags);
  if (!settings) return refuse(settings.error());
  Result<PlannedRequest> planned = planned_request(flags.request);
  if (!planned) return refuse(planned.error());
  const Result<Url> url = Url::parse(flags.url);
  if (!url) {
    std::fprintf(stderr, "trunkline: %s: %s\n", shown_url(flags.url).c_str(), url.error().describe().c_str());
    return exit_code_of(url.error().kind);
  }
  planned->url = url->text();
  if (flags.transport.proxy_from_environment && options->proxy.empty()) {
    options->proxy = environment_proxy(*url);
  }

  note_interrupts();
  const std::uint16_t port = port_of(*options, *url);
  const SocketCensus before = SocketCensus::take(port);
  LoadRun run(*settings, *options, make_request(*planned));
  LoadReport report = run.run();
  let_interrupts_end();
  report.sockets =
      (settings->mode == Mode::isolated ? SocketCensus::settled(port, before.open) : SocketCensus::take(port)) - before;
  report.url = planned->url;
  report.method = planned->method;
  report.mode = flags.mode;
  report.blocking = flags.blocking;
  report.concurrency = flags.concurrency;

  Output out = Output::to_stdout();
  out.write(flags.json ? as_json(report) : as_table(report));
  const int code = !report.broken_law.empty() ? exit_broken_law
                   : report.tally.first_error ? exit_code_of(report.tally.first_error->kind)
                                              : exit_ok;
  return written("load", out, code);
}

}  // namespace trunkline::cli
