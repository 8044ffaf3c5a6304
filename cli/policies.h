// The flags of redirects and retries, as the library's policies: what curl's flags of these names mean.
#pragma once

#include <optional>

#include <trunkline/policy.hpp>
#include <trunkline/result.hpp>

#include "settings.h"

namespace trunkline::cli {

struct Policies {
  std::optional<RedirectPolicy> redirects;
  std::optional<RetryPolicy> retries;
};

Result<Policies> policies_from(const FetchFlags& flags);

}  // namespace trunkline::cli
