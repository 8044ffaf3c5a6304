#include "websocket_fetch.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string_view>

#include <trunkline/client.hpp>

#include "exit_code.h"
#include "fail.h"
#include "output.h"
#include "secrecy.h"
#include "transports.h"

namespace trunkline::cli {
namespace {

bool is_websocket_url(std::string_view url) {
  const std::string_view scheme = url.substr(0, url.find(':'));
  return equals_ignore_case(scheme, "ws") || equals_ignore_case(scheme, "wss");
}

void print(const WebSocketMessage& message, Output& out) {
  out.write(message.kind == WebSocketMessage::text ? message.data + "\n" : message.data);
}

// A message out, a message in; without messages to send, whatever the server says until it closes.
Result<void> converse(WebSocket& socket, const std::vector<std::string>& messages, Duration patience, Output& out) {
  auto next = messages.begin();
  for (;;) {
    if (!messages.empty()) {
      if (next == messages.end() || out.failed()) return socket.close();
      if (auto sent = socket.send_text(*next++); !sent) return sent;
    }
    Result<WebSocketMessage> reply = socket.receive(patience);
    if (!reply) return std::move(reply).error();
    if (reply->kind == WebSocketMessage::closed) {
      if (messages.empty()) return {};
      Error error(ErrorCode::connection_closed, Phase::body,
                  "the server closed with " + std::to_string(reply->close_code) + " before it had answered");
      error.maybe_processed = MaybeProcessed::unknown;
      return error;
    }
    print(*reply, out);
  }
}

Result<void> run_one(const FetchFlags& flags, const PlannedRequest& planned, Transports& transports, Output& out) {
  const std::shared_ptr<Transport> transport = transports.take(planned.url, false, planned.total);
  WebSocketOptions options;
  options.subprotocols = flags.ws_protocols;
  options.deflate = flags.ws_deflate;
  Request request = make_request(planned);
  Result<void> result;
  {
    Result<WebSocket> socket = Client(transport).connect_websocket(std::move(request), options);
    result = socket ? converse(*socket, flags.ws_messages, transports.options().timeouts.idle_read, out)
                    : Result<void>(socket.error());
  }
  transports.give_back(transport);
  return result;
}

}  // namespace

Result<bool> is_websocket_plan(const FetchFlags& flags, const Plan& plan) {
  const auto sockets = std::count_if(plan.requests.begin(), plan.requests.end(),
                                     [](const PlannedRequest& each) { return is_websocket_url(each.url); });
  if (sockets == 0) {
    if (flags.ws_messages.empty() && flags.ws_protocols.empty() && !flags.ws_deflate) return false;
    return misuse("--ws-message, --ws-protocol and --ws-deflate are for ws:// and wss:// URLs");
  }
  if (static_cast<std::size_t>(sockets) != plan.requests.size()) {
    return misuse("ws:// and http:// URLs do not go together in one run");
  }
  if (flags.json || plan.parallel > 1 || !flags.outputs.empty() || flags.follow || flags.sse || flags.retry > 0) {
    return misuse("--json, --parallel, --output, --location, --retry and --sse mean nothing for a WebSocket");
  }
  return true;
}

int run_websockets(const FetchFlags& flags, const Plan& plan, const Options& options) {
  Transports transports(options, sharing_of(flags));
  Output out = Output::to_stdout();
  int code = exit_ok;
  for (int round = 0; round < plan.repeat && !out.failed(); ++round) {
    for (const PlannedRequest& planned : plan.requests) {
      const Result<void> result = run_one(flags, planned, transports, out);
      if (result) continue;
      if (!flags.silent || flags.show_error) {
        std::fprintf(stderr, "trunkline: %s: %s\n", shown_url(planned.url).c_str(), result.error().describe().c_str());
      }
      if (code == exit_ok) code = exit_code_of(result.error().kind);
    }
  }
  return out.failed() ? exit_output_failed : code;
}

}  // namespace trunkline::cli
