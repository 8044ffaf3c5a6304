// Peers from npm: the programs of tests/node with the packages of its lock file.
#pragma once

#include <string>

namespace trunkline::test {

// The path of such a program ("ws_peer.js") beside the packages that it imports. They are installed below the folder of
// this test program unless they are there already; several test programs may ask at once.
std::string node_program(const std::string& name);

}  // namespace trunkline::test
