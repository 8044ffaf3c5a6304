#include "services/autoscale_live/process_target.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <trunkline/client.hpp>

#include "services/autoscale_live/child.h"

namespace trunkline::autoscale {
namespace {

constexpr Duration probe_limit = std::chrono::seconds(2);
constexpr Duration log_look = std::chrono::seconds(1);

std::string filled(std::string text, std::string_view port, std::string_view name) {
  const auto put = [&](std::string_view place, std::string_view value) {
    for (std::size_t at = 0; (at = text.find(place, at)) != std::string::npos; at += value.size()) {
      text.replace(at, place.size(), value);
    }
  };
  put("${port}", port);
  put("${name}", name);
  return text;
}

ProcessRules rules_of(const ProcessTargetSettings& settings) {
  return {.ports = settings.ports,
          .drain = settings.drain,
          .backoff = settings.backoff,
          .longest_backoff = settings.longest_backoff,
          .ready_within = settings.ready_within,
          .restart_silent = settings.restart_silent};
}

// What our own machine lacks, or our own settings forbid, says nothing of the process. Time that passes in our queue
// does: nobody else asks it, so what is waited for is a connection that it does not accept.
ProcessPlan::Answer what_came(const Result<Response>& answer) {
  if (answer) return answer->status / 100 == 2 ? ProcessPlan::Answer::ready : ProcessPlan::Answer::refused;
  switch (answer.error().kind) {
    case ErrorKind::rejected:
    case ErrorKind::overloaded:
    case ErrorKind::cancelled:
      return ProcessPlan::Answer::not_asked;
    case ErrorKind::broken_peer:
      return ProcessPlan::Answer::refused;
    case ErrorKind::unreachable:
    case ErrorKind::disconnected:
    case ErrorKind::timed_out:
      break;
  }
  return ProcessPlan::Answer::none;
}

}  // namespace

class ProcessTarget::Keeper : public std::enable_shared_from_this<Keeper> {
 public:
  Keeper(std::string fleet, ProcessTargetSettings settings, int replicas, std::function<void()> on_change,
         std::shared_ptr<PortLedger> ports, int first_number)
      : fleet_(std::move(fleet)),
        on_change_(std::move(on_change)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        client_(std::in_place, Options::scrape()),
        settings_(std::move(settings)),
        plan_(fleet_, rules_of(settings_), std::move(ports), first_number) {
    if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    plan_.set_desired(replicas, {}, Clock::now());
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() { ::close(wake_); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void end() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
  }

  template <class Change>
  void change(Change how) {
    {
      const std::lock_guard lock(mutex_);
      how(plan_, settings_);
    }
    wake();
  }

  TargetView view() const {
    const std::lock_guard lock(mutex_);
    TargetView view{.replicas = plan_.desired(), .trouble = plan_.trouble(), .apply_failures = plan_.failures()};
    for (const ProcessPlan::Replica& replica : plan_.replicas()) {
      TargetPod pod{.name = plan_.name_of(replica.number),
                    .url = replica.process != 0 ? url(replica.port, settings_.metrics) : "",
                    .state = replica.state,
                    .reason = replica.trouble,
                    .started = replica.since,
                    .process = replica.process,
                    .restarts = replica.restarts};
      if (replica.state == PodState::terminating) pod.told_to_go = replica.since;
      view.pods.push_back(std::move(pod));
    }
    return view;
  }
  int next_number() const {
    const std::lock_guard lock(mutex_);
    return plan_.next_number();
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return plan_.empty();
  }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof(one));
  }

  std::string url(int port, const std::string& path) const {
    return "http://" + settings_.host + ":" + std::to_string(port) + path;
  }

  void run() {
    for (;;) {
      const TimePoint now = Clock::now();
      ProcessOrders orders;
      ProcessTargetSettings settings;
      {
        const std::lock_guard lock(mutex_);
        if (ending_) break;
        orders = plan_.due(now);
        settings = settings_;
      }
      for (const auto& order : orders.starts) start_one(order, settings);
      for (const auto& order : orders.probes) probe_one(order, settings);
      for (const auto& order : orders.signals) {
        const auto child = children_.find(order.replica);
        if (child != children_.end()) child->second.process.signal(order.kill ? SIGKILL : SIGTERM);
      }
      if (!orders.starts.empty() || !orders.signals.empty()) on_change_();
      look_at_logs(now, settings.log_bytes);
      wait();
    }
    children_.clear();
    client_.reset();  // here, because a probe's answer may be the last to hold the rest
  }

  void start_one(const ProcessOrders::Start& order, const ProcessTargetSettings& settings) {
    const std::string port = std::to_string(order.port);
    const std::string name = plan_.name_of(order.replica);
    ChildCommand command{.arguments = settings.command, .environment = {"PORT=" + port, "TRUNKLINE_POD=" + name}};
    for (std::string& argument : command.arguments) argument = filled(argument, port, name);
    if (!settings.log_folder.empty()) command.log = settings.log_folder + "/" + fleet_ + "-" + port + ".log";
    Result<Child> child = Child::start(command);
    const std::lock_guard lock(mutex_);
    if (!child) return plan_.ended(order.replica, "did not start: " + child.error().message, Clock::now());
    plan_.started(order.replica, child->pid());
    children_.emplace(order.replica, Running{std::move(*child), command.log});
  }

  void probe_one(const ProcessOrders::Probe& order, const ProcessTargetSettings& settings) {
    Request request = get("http://" + settings.host + ":" + std::to_string(order.port) + settings.ready);
    request.total_timeout(probe_limit);
    client_->start(std::move(request), [self = weak_from_this(), order](Result<Response> answer) {
      const std::shared_ptr<Keeper> keeper = self.lock();
      if (!keeper) return;
      std::string why = !answer ? answer.error().message
                                : "answers " + std::to_string(answer->status) + " when asked whether it is ready";
      bool changed = false;
      {
        const std::lock_guard lock(keeper->mutex_);
        ProcessPlan& plan = keeper->plan_;
        changed = plan.probed(order.replica, order.attempt, what_came(answer), std::move(why), Clock::now());
      }
      keeper->wake();
      if (changed) keeper->on_change_();
    });
  }

  void look_at_logs(TimePoint now, std::uint64_t most_bytes) {
    if (now < look_at_logs_at_) return;
    look_at_logs_at_ = now + log_look;
    for (const auto& [replica, child] : children_) {
      if (!child.log.empty()) keep_bounded(child.log, most_bytes);
    }
  }

  // Until something is due, a child has ended, or somebody wakes us.
  void wait() {
    TimePoint next;
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      next = plan_.next();
    }
    std::vector<pollfd> descriptors = {{.fd = wake_, .events = POLLIN, .revents = 0}};
    std::vector<int> replicas = {0};
    for (const auto& [replica, child] : children_) {
      descriptors.push_back({.fd = child.process.descriptor(), .events = POLLIN, .revents = 0});
      replicas.push_back(replica);
    }
    const bool logs = std::ranges::any_of(children_, [](const auto& child) { return !child.second.log.empty(); });
    if (logs) next = std::min(next, look_at_logs_at_);
    const TimePoint now = Clock::now();
    constexpr int longest = 60'000;
    int milliseconds = longest;
    if (next <= now) {
      milliseconds = 0;
    } else if (next < now + std::chrono::milliseconds(longest)) {
      milliseconds = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
    }
    if (::poll(descriptors.data(), descriptors.size(), milliseconds) <= 0) return;
    std::uint64_t count = 0;
    if (descriptors[0].revents != 0) [[maybe_unused]]
      const ssize_t got = ::read(wake_, &count, sizeof(count));
    for (std::size_t i = 1; i < descriptors.size(); ++i) {
      if (descriptors[i].revents != 0) bury(replicas[i]);
    }
  }

  void bury(int replica) {
    const auto child = children_.find(replica);
    std::optional<std::string> how = child->second.process.reap();
    if (!how) return;
    children_.erase(child);
    {
      const std::lock_guard lock(mutex_);
      plan_.ended(replica, std::move(*how), Clock::now());
    }
    on_change_();
  }

  struct Running {
    Child process;
    std::string log;
  };

  const std::string fleet_;
  const std::function<void()> on_change_;
  const int wake_;
  std::thread thread_;

  // The thread's own.
  std::optional<Client> client_;
  std::map<int, Running> children_;
  TimePoint look_at_logs_at_{};

  mutable std::mutex mutex_;  // what follows
  ProcessTargetSettings settings_;
  ProcessPlan plan_;
  bool ending_ = false;
};

ProcessTarget::ProcessTarget(std::string fleet, ProcessTargetSettings settings, int replicas,
                             std::function<void()> on_change, std::shared_ptr<PortLedger> ports, int first_number)
    : keeper_(std::make_shared<Keeper>(std::move(fleet), std::move(settings), replicas, std::move(on_change),
                                       std::move(ports), first_number)) {
  keeper_->start();
}

ProcessTarget::~ProcessTarget() { keeper_->end(); }

void ProcessTarget::change(ProcessTargetSettings settings) {
  keeper_->change([&](ProcessPlan& plan, ProcessTargetSettings& mine) {
    mine = std::move(settings);
    plan.set_rules(rules_of(mine));
  });
}

int ProcessTarget::next_number() const { return keeper_->next_number(); }

TargetView ProcessTarget::observe(TimePoint) { return keeper_->view(); }

void ProcessTarget::apply(const Decision& decision) {
  keeper_->change([&](ProcessPlan& plan, const ProcessTargetSettings&) {
    if (plan.desired() != decision.desired) plan.set_desired(decision.desired, decision.victims, Clock::now());
  });
}

void ProcessTarget::begin_stop(Duration limit) {
  keeper_->change([&](ProcessPlan& plan, const ProcessTargetSettings&) {
    const TimePoint now = Clock::now();
    plan.stop(now, now + limit);
  });
}

bool ProcessTarget::gone() const { return keeper_->empty(); }

}  // namespace trunkline::autoscale
