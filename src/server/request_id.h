// Names that follow a request through several programs.
#pragma once

#include <string>

#include <trunkline/headers.hpp>

namespace trunkline::server {

// X-Request-Id when it is sane (1 to 128 letters, digits and any of -_.:+/=@, and stands once), otherwise a new one of
// 15 characters: nine are random, the thread's, and six count up from a random number. Nobody else has it, but who has
// seen one can guess the next.
std::string request_id(const Headers& headers);

// W3C Trace Context's traceparent when it is valid and stands once, or empty.
std::string traceparent(const Headers& headers);

}  // namespace trunkline::server
