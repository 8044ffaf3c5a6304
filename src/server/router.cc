#include "server/router.h"

#include <memory>

namespace trunkline::server {
namespace {

using Match = RouteTable::Match;

struct Routes {
  RouteTable table;
  std::vector<Handler> handlers;
  Handler otherwise;

  void serve(Request request, Exchange exchange) const {
    // "OPTIONS *" asks the server, not one of its paths.
    if (request.path == "*") {
      exchange.respond(Response(204));
      return;
    }
    Match match = table.find(request.method, request.path);
    if (match.kind == Match::found) {
      request.parameters = std::move(match.parameters);
      handlers[static_cast<std::size_t>(match.route)](std::move(request), std::move(exchange));
    } else if (match.kind == Match::no_path && otherwise) {
      otherwise(std::move(request), std::move(exchange));
    } else {
      exchange.respond(answer(match, request));
    }
  }

  static Response answer(const Match& match, const Request& request) {
    switch (match.kind) {
      case Match::bad_path:
        return plain_response(400, "the path has no safe reading");
      case Match::other_slash: {
        Response moved = plain_response(308);
        moved.headers.set("Location", match.moved_to + (request.query.empty() ? "" : "?" + request.query));
        return moved;
      }
      case Match::no_method: {
        Response refused = plain_response(405);
        refused.headers.set("Allow", match.allow);
        return refused;
      }
      case Match::options: {
        Response options(204);
        options.headers.set("Allow", match.allow);
        return options;
      }
      case Match::found:
      case Match::no_path:
        break;
    }
    return plain_response(404);
  }
};

}  // namespace

Router& Router::add(std::string_view method, std::string_view pattern, Handler handler) {
  auto added = table_.add(method, pattern, static_cast<int>(handlers_.size()));
  if (added) {
    handlers_.push_back(std::move(handler));
  } else {
    mistakes_.push_back(added.error());
  }
  return *this;
}

Router& Router::otherwise(Handler handler) {
  otherwise_ = std::move(handler);
  return *this;
}

Result<Handler> Router::handler() && {
  if (!mistakes_.empty()) return mistakes_.front();
  auto routes = std::make_shared<const Routes>(Routes{std::move(table_), std::move(handlers_), std::move(otherwise_)});
  return Handler(
      [routes](Request request, Exchange exchange) { routes->serve(std::move(request), std::move(exchange)); });
}

}  // namespace trunkline::server
