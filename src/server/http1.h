// Speaks HTTP/1.0 and 1.1 on a connection: one request after the other, pipelined or not.
#pragma once

#include <memory>

namespace trunkline::server {

class Connection;
class Speaker;

std::unique_ptr<Speaker> make_http1(Connection& connection);

}  // namespace trunkline::server
