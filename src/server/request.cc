#include "server/request.h"

namespace trunkline::server {

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::http1_0:
      return "HTTP/1.0";
    case Protocol::http1_1:
      return "HTTP/1.1";
    case Protocol::http2:
      return "HTTP/2";
  }
  return "HTTP";
}

}  // namespace trunkline::server
