// Whether a set of options can be used at all, before any file is read or any socket opened.
#pragma once

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

namespace trunkline {

// `invalid_options`, or `unsupported` for kinds of proxy that we do not speak; the sentence begins with the setting's
// name and holds no secret. Whether the protocol can be spoken is seen when a request is made.
Result<void> check(const Options& options);

}  // namespace trunkline
