// The bottom of an exchange's layers: sends what they decide to send, one request after another, each over the
// transport that its URL asks for, and notes what came of it. The layers may do so on a loop's thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <trunkline/client.hpp>

#include "recorder.h"
#include "secrecy.h"
#include "transports.h"

namespace trunkline::cli {

// Written by one sending after the other, read when the last is over.
struct HopNotes {
  std::string method;  // of the last one, as all that follows
  std::string url;
  std::chrono::steady_clock::time_point began;
  std::size_t first_event = 0;                         // of the recorder's
  std::optional<ResponseHead> head;                    // that came back
  std::vector<std::shared_ptr<Transport>> transports;  // of all, to be given back
};

struct HopRules {
  bool verbose = false;
  std::string prefix;  // of what is said on stderr
  Secrecy secrecy;
  std::optional<Duration> total;  // a time limit that belongs to the handle where there is one per request
};

class Hops : public RoundTripper {
 public:
  Hops(HopRules rules, Transports& transports, std::shared_ptr<const Recorder> recorder,
       std::shared_ptr<HopNotes> notes, bool left_origin = false);

  Result<ResponseStream> open(Request&& request) override;
  Result<Response> send(Request&& request) override;
  CallHandle start(Request&& request, Callback<void(Result<Response>)>&& done) override;
  CallHandle start_open(Request&& request, Callback<void(Result<ResponseStream>)>&& done) override;
  std::shared_ptr<RoundTripper> elsewhere() override;

 private:
  std::shared_ptr<Transport> depart(const Request& request);

  const HopRules rules_;
  Transports& transports_;
  const std::shared_ptr<const Recorder> recorder_;
  const std::shared_ptr<HopNotes> notes_;
  const bool left_origin_;
};

// To stderr, every line with the prefix. One write, so that lines of several requests do not mix; from any thread.
void say(const std::string& prefix, const std::string& lines);

}  // namespace trunkline::cli
