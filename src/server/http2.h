// Speaks HTTP/2 on a connection, over TLS or in clear.
#pragma once

#include <memory>

namespace trunkline::server {

class Connection;
class Speaker;

std::unique_ptr<Speaker> make_http2(Connection& connection);

}  // namespace trunkline::server
