#include "descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace trunkline::cli {

void raise_descriptor_limit() {
  constexpr rlim_t enough = 1U << 20U;  // what Linux permits by default; some containers say "unlimited"
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t wanted = std::min(files.rlim_max, enough);
  if (files.rlim_cur >= wanted) return;
  files.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &files);  // refused: it stays as it was
}

}  // namespace trunkline::cli
