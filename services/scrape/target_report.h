// How one scrape of one target went, in numbers and in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/error.hpp>
#include <trunkline/reason.hpp>

#include "services/scrape/schedule.h"

namespace trunkline::scrape {

// The closed set of how a scrape ends; `reason` in the report is the same for people.
enum class Outcome : unsigned char {
  ok,
  not_asked,      // its turn did not come before the cut-off
  no_answer_yet,  // asked, and still silent at the cut-off
  unreachable,    // no connection came about
  disconnected,   // the connection broke
  timed_out,
  refused,        // a status other than 200
  not_metrics,    // a Content-Type that is no exposition
  malformed,      // a body that cannot be read: none of its samples count
  truncated,      // the end of the body is missing
  too_large,      // a limit was reached
  misconfigured,  // our own settings: a token file that cannot be read
  cancelled,
};
inline constexpr int outcome_count = 13;
std::string_view to_string(Outcome outcome);
Outcome outcome_of(const Error& error);
// Whether asking again at once may help.
Ending ending_of(Outcome outcome, int status);

struct TargetReport {
  Outcome outcome = Outcome::not_asked;
  std::string reason;  // a sentence, empty when all is well
  int status = 0;      // 0: no response
  Duration duration{0};
  std::uint64_t bytes = 0;    // of the body, decompressed
  std::uint64_t samples = 0;  // in the body, wanted or not
  bool second_try = false;    // failed once in this cycle, and was asked again

  bool connected = false;  // the fields below are known
  bool reused = false;
  bool warmed = false;                         // it is one that was opened for this scrape, ahead of it
  DialReason dial_reason = DialReason::first;  // of a new connection
  ReuseMiss miss = ReuseMiss::none;            // why none was reused
  int retries = 0;                             // sent again by the library, as an idle connection had died
  std::optional<Duration> keep_alive;          // what the server says: Keep-Alive: timeout=

  bool up() const { return outcome == Outcome::ok; }
};

// Which connection carried it: "reused", or "new", "warmed" or "retried" with the reason, or "-" when none came about.
struct ConnectionWords {
  std::string_view kind = "-";
  std::string_view reason = {};  // empty where it was simply reused
};
ConnectionWords connection_words(const TargetReport& report);
// "reused", "new (peer_closed)", "warmed (peer_closed)", "retried (stale_on_write)", or "-" when none came about.
std::string connection_text(const TargetReport& report);

// Why connections to this target do not last from one scrape to the next.
enum class IdleTrouble : unsigned char {
  none,
  server_says_shorter,  // Keep-Alive: timeout= is below the interval
  server_closes,        // it says nothing, but closed between two scrapes
};
std::string_view to_string(IdleTrouble trouble);
IdleTrouble idle_trouble(const TargetReport& report, Duration interval);
// What to do about it, or empty.
std::string advice(IdleTrouble trouble, const TargetReport& report, Duration interval);

// The number in "timeout=5, max=100"; none where it does not stand or makes no sense.
std::optional<Duration> keep_alive_timeout(std::string_view field);

}  // namespace trunkline::scrape
