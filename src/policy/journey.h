// One request on its way through a layer, which may send it more than once. Pure: values in, decisions out, the clock a
// parameter. layer.h does what is decided.
#pragma once

#include <memory>
#include <optional>

#include <trunkline/request.hpp>
#include <trunkline/response.hpp>
#include <trunkline/result.hpp>
#include <trunkline/round_tripper.hpp>

#include "base/clock.h"

namespace trunkline {

class Journey {
 public:
  struct Sending {
    Request request;
    std::shared_ptr<RoundTripper> through;  // null: the layer's next
  };
  struct Verdict {
    enum Kind : unsigned char {
      deliver,  // what came, response or error
      again,    // ask for another sending, after `pause`
      fail,     // with `error`
    } kind = deliver;
    Duration pause{0};
    std::optional<Error> error;
  };

  virtual ~Journey() = default;
  // What to send now, or why nothing is sent.
  virtual Result<Sending> depart(TimePoint now) = 0;
  // Of what came back: one of the two is null. `until`: the request's total time limit.
  virtual Verdict judge(const ResponseHead* head, const Error* error, TimePoint now, TimePoint until) = 0;
  // What an open stream that is delivered takes along.
  virtual std::shared_ptr<StreamWatch> watch() { return nullptr; }
};

}  // namespace trunkline
