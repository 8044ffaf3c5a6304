// One planned request from its first byte to its last, through the library's policies: over all redirects and retries.
// The same steps whether the calls block or not: with an inbox every call is started and its end comes back through the
// inbox; without one it blocks.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <trunkline/client.hpp>
#include <trunkline/events.hpp>
#include <trunkline/policy.hpp>

#include "hops.h"
#include "inbox.h"
#include "output.h"
#include "plan.h"
#include "recorder.h"
#include "report.h"
#include "secrecy.h"
#include "transports.h"

namespace trunkline::cli {

struct ExchangeRules {
  std::optional<RedirectPolicy> redirects;  // none: what a server sends elsewhere is the response
  std::optional<RetryPolicy> retries;
  bool fail = false;          // no body of an error status is written
  bool include_head = false;  // in front of a streamed body
  bool verbose = false;
  bool trace = false;
  bool record = false;                  // events are wanted in the report
  std::optional<std::size_t> max_body;  // of a streamed body
  Secrecy secrecy;
};

// Where the body goes.
enum class Delivery : unsigned char {
  whole,
  file,
  standard_output,
  events,  // it is one of server-sent events, which go to stdout one by one
};

class Exchange {
 public:
  // All but `plan` outlives the run; `plan` outlives the exchange.
  Exchange(const PlannedRequest& plan, std::uint64_t number, Delivery delivery, const ExchangeRules& rules,
           Transports& transports, Output& standard_output, Inbox* inbox);

  // `done` is called once, the last thing that happens; it may destroy the exchange.
  void begin(Callback<void(Report)> done);

 private:
  using Clock = std::chrono::steady_clock;

  void record();
  void send();
  void on_whole(Result<Response> response);
  void on_open(Result<ResponseStream> stream);
  void read_body();
  void on_piece(Result<std::size_t> size);
  void read_event();
  void on_event(Result<std::optional<Event>> event);
  void fail(Error error);
  void finish();

  std::string prefix() const;  // marks lines on stderr with the number when several run

  const PlannedRequest& plan_;
  const Delivery delivery_;
  const ExchangeRules& rules_;
  Transports& transports_;
  Output& standard_output_;
  Inbox* inbox_;
  Callback<void(Report)> done_;

  Request request_;
  std::shared_ptr<Recorder> recorder_;  // of all hops
  std::shared_ptr<HopNotes> notes_;
  std::shared_ptr<RoundTripper> way_;
  Report report_;

  std::optional<ResponseStream> stream_;
  std::optional<EventStream> events_;
  std::optional<Output> file_;
  std::array<char, 64 * 1024> buffer_;
};

}  // namespace trunkline::cli
