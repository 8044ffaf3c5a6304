// What a configuration names and this machine does not have, or does not let us write: it may come later, so that it is
// no mistake in the file, and somebody should know.
#pragma once

#include <string>
#include <vector>

namespace trunkline::run {

struct Configuration;

// A sentence each, with the field in front.
std::vector<std::string> absent_files(const Configuration& configuration);

}  // namespace trunkline::run
