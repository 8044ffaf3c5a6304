// A handler made of handlers, by method and path; route_table.h says how patterns match.
//
// Answered here: 404; 405 with Allow; OPTIONS with 204 and Allow; 400 for paths without a safe reading; and 308 where
// only a slash at the end is missing, or too much.
#pragma once

#include <string_view>
#include <vector>

#include "server/exchange.h"
#include "server/route_table.h"

namespace trunkline::server {

class Router {
 public:
  Router() = default;

  // The pattern must be sound and new: anything else is a mistake in the program, found when it starts, and the first
  // is kept for handler().
  Router& add(std::string_view method, std::string_view pattern, Handler handler);
  Router& get(std::string_view pattern, Handler handler) { return add("GET", pattern, std::move(handler)); }
  Router& post(std::string_view pattern, Handler handler) { return add("POST", pattern, std::move(handler)); }
  // Instead of 404.
  Router& otherwise(Handler handler);

  // For Server::start. An error names the pattern that was wrong.
  Result<Handler> handler() &&;

 private:
  RouteTable table_;
  std::vector<Handler> handlers_;
  Handler otherwise_;
  std::vector<Error> mistakes_;
};

}  // namespace trunkline::server
