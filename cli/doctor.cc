#include "doctor.h"

#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "doctor_report.h"
#include "exit_code.h"
#include "fail.h"
#include "interrupt.h"
#include "output.h"
#include "secrecy.h"
#include "services/doctor/look_reader.h"

namespace trunkline::cli {
namespace {

constexpr const char* usual_place = "http://127.0.0.1:9600";
// For all of its answers together: one that hangs must not hold up what the kernel's table says without it.
constexpr std::chrono::seconds time_for_answers{2};

struct AskedTrunkline {
  std::optional<TransportReport> report = {};
  std::string silence = {};  // why there is none, in words; empty: because nobody is there
};

// An error is what somebody who named the place, or gave a file that cannot be used, has to know before all else. At
// the usual place it is no secret either that somebody is there and does not answer. Nobody is told that there is
// none, unless he asked for it.
Result<AskedTrunkline> trunkline_of(const DoctorFlags& flags) {
  AskFlags ask = flags.ask;
  ask.url = flags.url.empty() ? usual_place : flags.url;
  Result<TransportReport> report = ask_trunkline(ask, Clock::now() + time_for_answers);
  if (report) return AskedTrunkline{.report = std::move(*report)};
  Error error = std::move(report).error();
  if (!flags.url.empty() || error.kind == ErrorKind::rejected) return error;
  const bool asked_for = !flags.ask.login_file.empty() || !flags.ask.ca_file.empty();
  if (error.kind == ErrorKind::unreachable && !asked_for) return AskedTrunkline{};
  return AskedTrunkline{.silence = "whether a Trunkline at " + std::string(usual_place) + " dials: " + error.message};
}

bool has_warning(const doctor::Diagnosis& diagnosis) {
  for (const doctor::Finding& finding : diagnosis.findings) {
    if (finding.severity != doctor::Severity::note) return true;
  }
  return false;
}

}  // namespace

int run_doctor(const DoctorFlags& flags) {
  const auto interval = parse_duration(flags.interval);
  if (!interval || *interval < std::chrono::milliseconds(100) || *interval > std::chrono::seconds(60)) {
    return fail("doctor", "--interval: want a time from 100ms to 60s", exit_misuse);
  }
  doctor::LookSettings settings;
  settings.pid = flags.pid;
  settings.interval = *interval;
  Result<doctor::LookReader> reader = doctor::LookReader::open(settings);
  if (!reader) return fail("doctor", reader.error().message, exit_misuse);

  note_interrupts(/*and_terminate=*/true);
  Output out = Output::to_stdout();
  int code = exit_ok;
  do {
    // Asked first, so that our own question is no dial of the interval.
    const Result<AskedTrunkline> asked = trunkline_of(flags);
    if (!asked) {
      const std::string place = flags.url.empty() ? usual_place : shown_url(flags.url);
      return fail("doctor", place + ": " + asked.error().describe(), exit_code_of(asked.error().kind));
    }
    const Result<doctor::Observation> seen = reader->observe([] { return interrupted(); });
    if (!seen) return fail("doctor", seen.error().message, exit_code_of(ErrorKind::disconnected));
    if (interrupted() && flags.watch) break;  // a part of an interval says little
    doctor::Diagnosis diagnosis = doctor::diagnose(*seen);
    if (!asked->silence.empty()) diagnosis.unseen.push_back(asked->silence);
    const TransportReport* const trunkline = asked->report ? &*asked->report : nullptr;
    out.write(flags.json ? doctor_json(diagnosis, trunkline) : doctor_table(diagnosis, trunkline));
    code = has_warning(diagnosis) ? exit_invalid : exit_ok;
    if (flags.watch && !flags.json) out.write("\n");
  } while (flags.watch && !interrupted() && !out.failed());
  return written("doctor", out, code);
}

}  // namespace trunkline::cli
