// One planned request from its first byte to its last, over all redirects. The same steps whether the calls block or
// not: with an inbox every call is started and its end comes back through the inbox; without one it blocks.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <trunkline/client.hpp>

#include "client/redirect.h"
#include "inbox.h"
#include "output.h"
#include "plan.h"
#include "recorder.h"
#include "report.h"
#include "secrecy.h"
#include "transports.h"

namespace trunkline::cli {

struct ExchangeRules {
  bool follow = false;
  int max_redirects = default_max_redirects;
  RedirectRules redirects;
  bool fail = false;          // no body of an error status is written
  bool include_head = false;  // in front of a streamed body
  bool verbose = false;
  bool trace = false;
  bool record = false;                  // events are wanted in the report
  std::optional<std::size_t> max_body;  // of a streamed body
  Secrecy secrecy;
};

// Where the body goes.
enum class Delivery : unsigned char { whole, file, standard_output };

class Exchange {
 public:
  // All but `plan` outlives the run; `plan` outlives the exchange.
  Exchange(const PlannedRequest& plan, std::uint64_t number, Delivery delivery, const ExchangeRules& rules,
           Transports& transports, Output& standard_output, Inbox* inbox);

  // `done` is called once, the last thing that happens; it may destroy the exchange.
  void begin(Callback<void(Report)> done);

 private:
  using Clock = std::chrono::steady_clock;

  void send_hop();
  void record_hop();
  void on_whole(Result<Response> response);
  void on_open(Result<ResponseStream> stream);
  void read_body();
  void on_piece(Result<std::size_t> size);
  bool follow(const ResponseHead& head);  // true: a redirect, and what it asks for is under way or has failed
  void fail(Error error);
  void finish();

  bool over_total(Request& request);
  void say(const std::string& lines) const;  // to stderr, marked with the number when several run

  const PlannedRequest& plan_;
  const Delivery delivery_;
  const ExchangeRules& rules_;
  Transports& transports_;
  Output& standard_output_;
  Inbox* inbox_;
  Callback<void(Report)> done_;

  Request request_;  // of this hop
  Url first_origin_;
  bool left_origin_ = false;
  Clock::time_point began_;
  Clock::time_point hop_began_;
  std::shared_ptr<Transport> transport_;
  std::shared_ptr<Recorder> recorder_;  // of this hop
  std::vector<TraceEvent> events_before_;
  Report report_;

  std::optional<ResponseStream> stream_;
  std::optional<Output> file_;
  std::array<char, 64 * 1024> buffer_;
};

}  // namespace trunkline::cli
