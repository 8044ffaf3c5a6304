#include "exit_code.h"

namespace trunkline::cli {

int exit_code_of(ErrorKind kind) { return exit_rejected + static_cast<int>(kind); }

std::string exit_code_help() {
  return R"(Exit codes (with several requests: that of the first that failed)
   0  every request got a complete response, whatever its status
   2  misuse: the command line or a --batch line is wrong; nothing was sent
  10  rejected      the request or the options are wrong: fix them, never retry
  11  overloaded    a limit of ours or of the machine: later
  12  unreachable   no connection came about: resolve, connect, proxy, TLS
  13  disconnected  an established connection broke
  14  timed_out     a time limit passed
  15  broken_peer   the peer broke the protocol, or a bound on its response
  16  cancelled     stopped by us
  22  --fail, and a status of 400 or more
  23  the output cannot be written
)";
}

}  // namespace trunkline::cli
