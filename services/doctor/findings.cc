#include "services/doctor/findings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "base/number_text.h"

namespace trunkline::doctor {
namespace {

constexpr std::size_t most_findings = 100;
// Fewer are the ordinary life of programs: a start, a name looked up, a connection tried once.
constexpr std::uint64_t few = 5;
constexpr double slow = 0.5;  // dials a second
constexpr double ports_scarce = 0.5;
constexpr double ports_nearly_gone = 0.8;
constexpr std::uint64_t many_closed = 500;  // in TIME_WAIT
constexpr std::uint64_t many_kept = 10;     // that the other side has closed

// One digit behind the point while it says something: "4.2", "212".
std::string rate(double value) {
  std::array<char, 32> text{};
  if (value >= 99.95) return number(static_cast<std::uint64_t>(std::llround(value)));
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string percent(double share) { return number(static_cast<std::uint64_t>(std::llround(share * 100))) + " %"; }

std::string seconds(double value) { return rate(value) + " s"; }

std::string who(const Use& use) {
  std::string names;
  std::size_t named = 0;
  for (const Owner& owner : use.owners) {
    if (owner.dialled == 0 && named > 0) break;
    if (named == 3) return names + " and others";
    names += (named++ > 0 ? ", " : "") + owner.name;
  }
  return names.empty() ? "a program whose name could not be seen" : names;
}

std::vector<int> pids_of(const Use& use) {
  std::vector<int> pids;
  for (const Owner& owner : use.owners) pids.insert(pids.end(), owner.pids.begin(), owner.pids.end());
  if (pids.size() > 10) pids.resize(10);
  return pids;
}

class Finder {
 public:
  explicit Finder(const Diagnosis& diagnosis) : diagnosis_(diagnosis) {}

  std::vector<Finding> find() {
    for (const Use& use : diagnosis_.uses) {
      if (!use.inbound) {
        const bool churns = churn(use);
        if (!churns) closed_lately(use);
        ports_low(use);
        no_answer(use);
      }
      not_closed(use);
    }
    if (diagnosis_.whole_namespace) {
      failed_dials();
      untraced();
    }
    std::vector<Finding> sorted;
    for (const Severity severity : {Severity::critical, Severity::warning, Severity::note}) {
      for (Finding& finding : findings_) {
        if (finding.severity != severity || sorted.size() == most_findings) continue;
        sorted.push_back(std::move(finding));
      }
    }
    return sorted;
  }

 private:
  void add(std::string code, Severity severity, std::string sentence, const Use* use = nullptr) {
    findings_.push_back({std::move(code), severity, std::move(sentence), use ? use->destination.describe() : "",
                         use ? pids_of(*use) : std::vector<int>{}});
  }

  // "28,232 ports / 60 s = 470 dials a second is the ceiling for one destination"
  std::string ceiling(const Address& destination) const {
    const PortFacts& ports = diagnosis_.ports;
    const double held = std::chrono::duration<double>(ports.held_after_close(destination)).count();
    std::string text = number(ports.usable()) + " ports / " + (held == 60 ? "60 s" : seconds(held)) + " = " +
                       number(static_cast<std::uint64_t>(ports.ceiling(destination))) +
                       " dials a second is the ceiling for one destination";
    if (held < 60) text += " (the kernel gives ports back early here, tcp_tw_reuse; towards others it is 60 s)";
    return text;
  }

  bool churn(const Use& use) {
    if (use.dialled < few || use.per_second < slow || use.brief * 2 < use.dialled) return false;
    const double share = use.per_second / diagnosis_.ports.ceiling(use.destination.address);
    const std::uint64_t closed_here = use.state(SocketState::time_wait) - use.closed_there;
    std::string sentence = who(use) + " dials " + use.destination.describe() + " " + rate(use.per_second) +
                           " times a second and keeps hardly a connection: " + number(use.dialled) + " new in " +
                           seconds(diagnosis_.seconds) + ", " + number(use.brief) + " of them closed again. ";
    bool near = false;
    if (closed_here * 2 >= use.brief) {
      near = share >= ports_nearly_gone;
      sentence += "Each keeps its local port after the close: " + ceiling(use.destination.address) + "; this is " +
                  percent(share) + " of it. ";
    } else {
      sentence +=
          "The other side closes first and keeps the TIME_WAIT, so no port is used up here; but every dial "
          "costs round trips, and a handshake where there is TLS. ";
    }
    sentence += "Keep one client and reuse its connections; a client made anew for every call dials for every call";
    add("churn", near ? Severity::critical : Severity::warning, sentence + ".", &use);
    return true;
  }

  void closed_lately(const Use& use) {
    const std::uint64_t closed = use.state(SocketState::time_wait);
    if (closed < many_closed) return;
    add("time_wait", Severity::warning,
        number(closed) + " connections to " + use.destination.describe() + " were closed within the last 60 s, " +
            rate(static_cast<double>(closed) / 60) +
            " a second: somebody dialled anew for each call, although not in the last " + seconds(diagnosis_.seconds) +
            ". Look again while it happens, to see who.",
        &use);
  }

  void ports_low(const Use& use) {
    if (use.share < ports_scarce) return;
    const std::uint32_t usable = diagnosis_.ports.usable();
    std::string sentence = "Of " + number(usable, "local port") + ", " + number(use.ports_held) + " (" +
                           percent(use.share) + ") are taken towards " + use.destination.describe() +
                           (use.source.empty() ? "" : " from " + use.source) + ": " + number(use.open()) +
                           " open, the others closed and waiting. ";
    sentence += use.share >= ports_nearly_gone ? "Dials to it fail with EADDRNOTAVAIL when they are gone. " : "";
    sentence += "Reuse connections; until then more source addresses, or a wider net.ipv4.ip_local_port_range.";
    add("ports_low", use.share >= ports_nearly_gone ? Severity::critical : Severity::warning, sentence, &use);
  }

  void no_answer(const Use& use) {
    const std::uint64_t waiting = use.state(SocketState::syn_sent);
    if (waiting < few) return;
    add("no_answer", Severity::warning,
        number(waiting, "dial") + " to " + use.destination.describe() + " by " + who(use) +
            " got no answer yet: a firewall drops them, the host is gone, or the server's accept queue is full.",
        &use);
  }

  void not_closed(const Use& use) {
    const std::uint64_t kept = use.state(SocketState::close_wait);
    if (kept < many_kept) return;
    add("not_closed", Severity::warning,
        number(kept) + " connections " +
            (use.inbound ? "at port " + std::to_string(use.destination.port) : "to " + use.destination.describe()) +
            " were closed by the other side and not by " + who(use) +
            " (CLOSE_WAIT): it leaks descriptors, or does not look at idle connections.",
        &use);
  }

  void failed_dials() {
    if (!diagnosis_.dials_in_all || diagnosis_.failed_in_all < few ||
        static_cast<double>(diagnosis_.failed_in_all) < slow * diagnosis_.seconds) {
      return;
    }
    add("failed_dials", Severity::warning,
        number(diagnosis_.failed_in_all) + " handshakes failed in " + seconds(diagnosis_.seconds) +
            ": a port where nobody listens, or a server that refuses.");
  }

  // The kernel counts every dial; those that left no trace were refused, or closed first by a server elsewhere.
  void untraced() {
    if (!diagnosis_.dials_in_all || *diagnosis_.dials_in_all <= diagnosis_.dials + diagnosis_.failed_in_all) return;
    const std::uint64_t missing = *diagnosis_.dials_in_all - diagnosis_.dials - diagnosis_.failed_in_all;
    if (missing < few || static_cast<double>(missing) < slow * diagnosis_.seconds ||
        missing * 10 < *diagnosis_.dials_in_all) {
      return;
    }
    add("untraced", Severity::note,
        "The kernel counted " + number(*diagnosis_.dials_in_all, "dial") + " in " + seconds(diagnosis_.seconds) + ", " +
            number(missing) +
            " more than could be told apart: they were closed by the other side within milliseconds and left no "
            "trace. The destinations that are named are a part of it.");
  }

  const Diagnosis& diagnosis_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> find(const Diagnosis& diagnosis) { return Finder(diagnosis).find(); }

}  // namespace trunkline::doctor
