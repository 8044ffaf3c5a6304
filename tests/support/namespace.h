// Tests in a network of their own: the test program runs itself again, with one test, inside namespaces, where it may
// take all ports away or point the resolver at nothing without disturbing anybody.
#pragma once

#include <string>

namespace trunkline::test {

// True inside. Outside it runs the calling test inside, fails or skips it as it went there, and returns false: the test
// returns at once then. `prepare` is a shell command, run inside first. With `mounts`, files can be replaced by bind
// mounts.
bool inside_namespace(const std::string& prepare, bool mounts = false);

}  // namespace trunkline::test
