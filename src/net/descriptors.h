// The descriptors this library holds. After fork() the child closes its copies: otherwise the parent's close would not
// reach the peer, and two processes would speak on one connection.
#pragma once

#include <cstdint>

namespace trunkline::net {

void note_descriptor(int fd);    // right after it was opened
void forget_descriptor(int fd);  // right before it is closed

// Counts forks: differs in a child from what it was in the parent. What was made under another number is dead.
std::uint64_t fork_generation();

}  // namespace trunkline::net
