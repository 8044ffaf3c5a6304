// What will be sent: the command line or a batch file, turned into requests before the first one leaves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <trunkline/request.hpp>
#include <trunkline/result.hpp>

#include "settings.h"

namespace trunkline::cli {

struct PlannedRequest {
  std::string id;  // the batch's own name for it; empty: none
  std::string method;
  std::string url;
  Headers headers;
  std::shared_ptr<const std::string> body;       // shared by all repetitions
  std::optional<std::uint64_t> generated_bytes;  // a body of that size, made while it is sent
  bool chunked = false;                          // the body's length is not told in advance
  Headers trailers;                              // after a chunked body
  Duration delay{0};                             // before it is sent, from when its turn comes
  std::string group;                             // neighbours of one group run together
  std::optional<Duration> total;                 // limit over the whole call
  std::optional<Timeouts> timeouts;              // all of them, instead of the transport's
  std::optional<std::size_t> body_limit;
  bool fresh = false;
  bool idempotent = false;
  bool expect_continue = false;
  bool include_body = false;
  std::string upgrade;
  std::string output;  // a file; empty or "-": stdout
};

struct Plan {
  std::vector<PlannedRequest> requests;
  int repeat = 1;    // how often all of them
  int parallel = 1;  // how many in flight; groups of a batch have as many as they have members
};

// Reads the files that -d, -H and --batch name. Errors are misuse: nothing has been sent.
Result<Plan> plan_from(const FetchFlags& flags, const Options& options);

// The request without its URL, for `load`.
Result<PlannedRequest> planned_request(const RequestFlags& flags);

Request make_request(const PlannedRequest& plan);

// The whole of a file, or of stdin for "-".
Result<std::string> read_file(const std::string& path);

}  // namespace trunkline::cli
