#include "base/descriptor_limit.h"

#include <algorithm>

namespace trunkline {
namespace {

std::optional<rlimit>& before() {
  static std::optional<rlimit> limit;
  return limit;
}

}  // namespace

void raise_descriptor_limit() {
  constexpr rlim_t enough = 1U << 20U;  // what Linux permits by default; some containers say "unlimited"
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t wanted = std::min(files.rlim_max, enough);
  if (files.rlim_cur >= wanted) return;
  const rlimit raised{wanted, files.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) before() = files;  // refused: it stays as it was
}

const std::optional<rlimit>& descriptor_limit_before() { return before(); }

}  // namespace trunkline
