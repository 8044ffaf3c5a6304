// One scrape of one target: the request, its response streamed into the parser, and the answer that comes of it. No
// body is ever held whole.
#pragma once

#include <memory>
#include <string>

#include <trunkline/client.hpp>

#include "metrics/exposition_parser.h"
#include "services/scrape/fleet.h"

namespace trunkline::scrape {

struct Question {
  TargetPtr target;
  Start start;
  bool warmed = false;        // a connection was dialled for it
  Duration timeout{0};        // of the request
  Duration useful_for{0};     // what the server is told: afterwards its answer no longer counts in this cycle
  std::string authorization;  // empty: none
  metrics::Wanted wanted;
  metrics::ExpositionLimits limits;
  std::size_t kept_bytes = 0;  // the most memory that the wanted samples may take
};

// `done` is called exactly once, on a loop thread.
CallHandle ask(const Client& client, const Question& question, Callback<void(Answer)> done);

}  // namespace trunkline::scrape
