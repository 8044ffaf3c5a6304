// What -v and --trace print to stderr: "*" for what happened, ">" for what was sent, "<" for what came.
#pragma once

#include <string>

#include <trunkline/request.hpp>
#include <trunkline/response.hpp>

#include "secrecy.h"

namespace trunkline::cli {

std::string describe(const TraceEvent& event);  // "* +0.000123 s connected, connection 3: reused\n"
std::string describe_connection(const ConnectionInfo& info);
// As the transport writes it to a server; through a proxy the request line differs.
std::string describe_request(const Request& request, const Options& options, const Secrecy& secrecy);
std::string describe_response(const ResponseHead& head, const Secrecy& secrecy);

// The response's head as -i and -I put it into the output.
std::string head_text(const ResponseHead& head);

// "HTTP/1.1 200 OK"
std::string status_line(const ResponseHead& head);

}  // namespace trunkline::cli
