#include "autoscale_simulate.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "base/nearest.h"
#include "base/text.h"
#include "exit_code.h"
#include "fail.h"
#include "output.h"
#include "services/autoscale_files/decision_record.h"
#include "services/autoscale_files/policy_file.h"
#include "services/autoscale_replay/report_html.h"
#include "services/autoscale_replay/report_text.h"
#include "services/autoscale_replay/simulation.h"
#include "services/config/reader.h"

namespace trunkline::cli {
namespace {

using autoscale::Simulation;

int misused(const std::string& why) {
  return fail("autoscale simulate", why + "\nSee trunkline autoscale simulate --help", exit_misuse);
}

Result<std::vector<autoscale::Policy>> read_all(const AutoscaleFlags& flags) {
  std::vector<autoscale::Policy> all;
  for (const std::string& file : flags.policies) {
    const auto text = read_whole(file);
    if (!text) return text.error();
    auto policies = autoscale::read_policies(*text, shown_name(file));
    if (!policies) return std::move(policies).error();
    for (autoscale::Policy& policy : *policies) {
      if (!flags.compat.empty() && autoscale::compat_of(policy) != flags.compat) {
        return misuse(shown_name(file) + ": is of the form " + std::string(autoscale::compat_of(policy)) +
                      ", and --compat asks for " + flags.compat);
      }
      // Two of one name could not be told apart in what is printed.
      const std::string name = policy.name;
      for (int number = 2; std::any_of(all.begin(), all.end(),
                                       [&](const autoscale::Policy& other) { return other.name == policy.name; });
           ++number) {
        policy.name = name + "-" + std::to_string(number);
      }
      all.push_back(std::move(policy));
    }
  }
  return all;
}

bool same_file(const std::string& one, const std::string& other) {
  const auto path_of = [](const std::string& name) { return name == "-" ? std::string("/dev/stdin") : name; };
  std::error_code failure;
  const bool regular = std::filesystem::is_regular_file(path_of(one), failure);
  return one == other || (regular && std::filesystem::equivalent(path_of(one), path_of(other), failure));
}

// What is written must not take the place of what is read.
Result<void> check_files(const AutoscaleFlags& flags) {
  std::vector<std::string> read = flags.policies;
  if (!flags.input.empty()) read.push_back(flags.input);
  for (const auto& [flag, file] : {std::pair("--record ", flags.record), {"--html ", flags.html}}) {
    for (const std::string& other : read) {
      if (!file.empty() && same_file(file, other)) {
        return misuse(flag + printable(file) + ": is a file that is read, and would be lost; name another one");
      }
    }
  }
  if (!flags.record.empty() && !flags.html.empty() && same_file(flags.record, flags.html)) {
    return misuse("--record and --html name the same file");
  }
  return {};
}

Result<autoscale::Scenario> scenario_of(const AutoscaleFlags& flags) {
  const auto shape = autoscale::shape_of(flags.generate);
  if (!shape) {
    const auto& names = autoscale::shape_names();
    std::string known;
    for (const auto& name : names) known.append(known.empty() ? "" : " ").append(name);
    return misuse("--generate " + printable(flags.generate, 40) + ": there is no such shape" +
                  did_you_mean(flags.generate, {names.begin(), names.end()}) + "; there are " + known);
  }
  autoscale::Scenario scenario{.shape = *shape, .low = flags.low, .high = flags.high};
  for (const auto& [text, field] : {std::pair(&flags.length, &scenario.length),
                                    {&flags.interval, &scenario.interval},
                                    {&flags.startup, &scenario.startup}}) {
    const auto duration = parse_duration(*text);
    if (!duration) return duration.error();
    // Far enough from the ends of the clock that moments can be added up.
    if (*duration > config::longest_time) return misuse(printable(*text, 40) + ": is longer than 366 days");
    *field = *duration;
  }
  if (scenario.interval <= autoscale::Duration(0)) return misuse("--interval must be above 0");
  if (scenario.length / scenario.interval > 1'000'000) return misuse("--length holds more than a million intervals");
  return scenario;
}

// What is done with each decision as it comes, so that a long recording is not kept in memory.
class Listener {
 public:
  Listener(const AutoscaleFlags& flags, Output& out) : json_(flags.json), out_(out) {
    if (!flags.record.empty()) record_.emplace(Output::replacing(flags.record));
  }

  void hear(const Simulation& simulation, const autoscale::Decision& decision, bool first) {
    if (json_) out_.write(autoscale::print_decision(decision, simulation.seen().seen) + "\n");
    if (record_ && first) record_->write(autoscale::print_tick(simulation.seen()) + "\n");
  }
  std::optional<Output>& record() { return record_; }

 private:
  bool json_;
  Output& out_;
  std::optional<Output> record_ = {};
};

Result<std::vector<Simulation>> generate(const AutoscaleFlags& flags, const autoscale::Scenario& scenario,
                                         std::vector<autoscale::Policy> policies, Listener& listener) {
  std::vector<Simulation> simulations;
  for (autoscale::Policy& policy : policies) {
    auto metrics = autoscale::metrics_of(policy);
    if (!metrics) return std::move(metrics).error();
    const int needed = static_cast<int>(std::ceil(autoscale::demand_at(scenario, autoscale::Duration(0))));
    autoscale::World world(scenario, std::move(*metrics), flags.start > 0 ? flags.start : std::max(1, needed));
    simulations.emplace_back(std::move(policy), std::move(world));
  }
  for (autoscale::Duration t{0}; t <= scenario.length; t += scenario.interval) {
    for (Simulation& one : simulations) listener.hear(one, one.step(TimePoint(t)), &one == simulations.data());
  }
  return simulations;
}

Result<std::vector<Simulation>> replay(const AutoscaleFlags& flags, std::vector<autoscale::Policy> policies,
                                       Listener& listener) {
  std::ifstream file;
  if (flags.input != "-") {
    file.open(flags.input, std::ios::binary);
    if (!file) return misuse(flags.input + ": cannot be opened");
  }
  autoscale::Recording recording(flags.input == "-" ? std::cin : file, shown_name(flags.input));
  std::vector<Simulation> simulations;
  simulations.reserve(policies.size());
  for (autoscale::Policy& policy : policies) simulations.emplace_back(std::move(policy), flags.closed_loop);
  for (;;) {
    const auto tick = recording.next();
    if (!tick) return tick.error();
    if (!*tick) return simulations;
    for (Simulation& one : simulations) listener.hear(one, one.step(**tick), &one == simulations.data());
  }
}

// False, and says so, when not everything arrived.
bool finish(std::optional<Output>& output, const std::string& path) {
  if (!output || output->finish()) return true;
  std::cerr << "trunkline autoscale simulate: " << printable(path) << ": cannot be written: " << output->failure()
            << "\n";
  return false;
}

int terminal_width() {
  winsize size{};
  const bool known = ::ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? std::min<int>(size.ws_col, 160) : 100;
}

std::string title_of(const AutoscaleFlags& flags) {
  return flags.input.empty() ? "made-up demand: " + flags.generate : "recording " + shown_name(flags.input);
}

}  // namespace

int run_simulate(const AutoscaleFlags& flags) {
  if (flags.input.empty() == flags.generate.empty()) return misused("give either --input FILE or --generate SHAPE");
  if (flags.closed_loop && flags.input.empty())
    return misused("--closed-loop is for a recording; a made-up world obeys anyway");
  auto policies = read_all(flags);
  if (!policies) return fail("autoscale simulate", policies.error());
  std::optional<autoscale::Scenario> scenario;
  if (flags.input.empty()) {
    const auto made_up = scenario_of(flags);
    if (!made_up) return misused(made_up.error().message);
    scenario = *made_up;
  }
  if (const auto good = check_files(flags); !good) return misused(good.error().message);
  Output out = Output::to_stdout();
  Listener listener(flags, out);
  std::optional<Output> html;
  if (!flags.html.empty()) html.emplace(Output::replacing(flags.html));
  if (listener.record() && listener.record()->failed()) {
    finish(listener.record(), flags.record);
    return exit_output_failed;
  }
  if (html && html->failed()) {
    finish(html, flags.html);
    return exit_output_failed;
  }
  const auto simulations = scenario ? generate(flags, *scenario, std::move(*policies), listener)
                                    : replay(flags, std::move(*policies), listener);
  if (!simulations) return fail("autoscale simulate", simulations.error());

  std::vector<autoscale::Course> courses;
  for (const Simulation& one : *simulations) courses.push_back(one.course());
  if (!flags.json) {
    const bool terminal = ::isatty(1) != 0;
    if (terminal || flags.plot) {
      for (const autoscale::Course& course : courses) out.write(autoscale::plot(course, terminal_width()) + "\n");
    }
    for (const autoscale::Course& course : courses) out.write(autoscale::table(course, flags.all_rows) + "\n");
    out.write(autoscale::comparison(courses));
  }
  const int code = written("autoscale simulate", out, exit_ok);
  bool all_written = finish(listener.record(), flags.record);
  if (html) {
    html->write(autoscale::html_report(title_of(flags), courses));
    all_written = finish(html, flags.html) && all_written;
  }
  return all_written ? code : exit_output_failed;
}

}  // namespace trunkline::cli
