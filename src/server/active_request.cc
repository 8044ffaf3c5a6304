#include "server/active_request.h"

#include <exception>

#include "base/recycled.h"
#include "server/connection.h"
#include "server/log_entry.h"
#include "server/request_id.h"
#include "server/worker.h"

namespace trunkline::server {

struct ActiveRequest::Facts {
  std::chrono::system_clock::time_point at;
  TimePoint began;
  Protocol protocol;
  std::string method, authority, path, id, traceparent, user_agent;
};

namespace {

// A proxy's form of a target is "http://host/path"; the codec has checked it, and that its host is the Host's.
void split_target(Request& request) {
  std::string& path = request.path;
  const std::size_t scheme = path.starts_with('/') || path == "*" ? std::string::npos : path.find("://");
  if (scheme != std::string::npos) path.erase(0, path.find_first_of("/?", scheme + 3));
  const std::size_t question = path.find('?');
  if (question != std::string::npos) {
    request.query = path.substr(question + 1);
    path.resize(question);
  }
  if (path.empty()) path += '/';
}

}  // namespace

ActiveRequest::ActiveRequest(Connection& connection, Carrier& carrier)
    : connection_(connection),
      state_(std::allocate_shared<ExchangeState>(Recycled<ExchangeState, 256>(), connection.worker().loop(), carrier,
                                                 connection.worker().settings().limits.response_ahead_bytes)),
      token_(connection.worker().ledger()) {}

ActiveRequest::~ActiveRequest() { end(false); }

void ActiveRequest::begin(Request&& request) {
  split_target(request);
  request.secure = connection_.secure();
  request.peer = connection_.peer();
  request.tls = connection_.tls();
  request.id = request_id(request.headers);
  request.traceparent = traceparent(request.headers);
  if (connection_.worker().settings().on_request) {
    facts_ = std::make_unique<Facts>(Facts{
        std::chrono::system_clock::now(), connection_.now(), request.protocol, request.method, request.authority,
        request.path, request.id, request.traceparent, std::string(request.headers.get("user-agent").value_or(""))});
  }
  // A handler whose writer dies with it cuts the connection, and this request is gone before the handler has returned.
  const Worker& worker = connection_.worker();
  try {
    worker.handler()(std::move(request), Exchange(state_));
  } catch (const std::exception& error) {  // its exchange died with it, and that is a 500
    worker.trouble(std::string("a handler threw: ") + error.what());
  } catch (...) {
    worker.trouble("a handler threw what is no std::exception");
  }
}

void ActiveRequest::end(bool complete) {
  if (std::exchange(ended_, true)) return;
  if (complete) token_.complete();
  if (facts_) {
    LogEntry entry;
    entry.at = facts_->at;
    entry.took = connection_.now() - facts_->began;
    entry.peer = connection_.peer();
    entry.protocol = facts_->protocol;
    entry.secure = connection_.secure();
    entry.method = facts_->method;
    entry.authority = facts_->authority;
    entry.path = facts_->path;
    entry.status = status_;
    entry.received = received_;
    entry.sent = sent_;
    entry.cancelled = !complete;
    entry.request_id = facts_->id;
    entry.traceparent = facts_->traceparent;
    entry.user_agent = facts_->user_agent;
    connection_.worker().settings().on_request(entry);
  }
  state_->leave(!complete);
}

void log_refused(Connection& connection, Protocol protocol, int status) {
  if (!connection.worker().settings().on_request) return;
  LogEntry entry;
  entry.at = std::chrono::system_clock::now();
  entry.peer = connection.peer();
  entry.protocol = protocol;
  entry.secure = connection.secure();
  entry.status = status;
  connection.worker().settings().on_request(entry);
}

}  // namespace trunkline::server
