// The opening handshake over a request: what is asked for, and what becomes of the answer.
#include <optional>
#include <utility>

#include <trunkline/client.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "client/websocket.h"
#include "websocket/handshake.h"

namespace trunkline {
namespace {

constexpr std::size_t largest = std::size_t{1} << 40U;

struct Opening {
  WebSocketOptions options;
  websocket::Offer offer;
};

std::optional<Error> check(const WebSocketOptions& options) {
  const auto wrong = [](std::string what) {
    return Error(ErrorCode::invalid_options, Phase::prepare, std::move(what));
  };
  for (const std::size_t size :
       {options.message_bytes, options.frame_bytes, options.send_queue_bytes, options.receive_queue_bytes}) {
    if (size == 0 || size > largest) return wrong("a size of a WebSocket is at least 1 byte and at most 1 TiB");
  }
  if (options.fragments < 1) return wrong("fragments: a message has at least one");
  for (const Duration time : {options.ping_after, options.ping_timeout, options.close_timeout, options.write_stall}) {
    if (time < Duration::zero() || time > ten_years) {
      return wrong("a time of a WebSocket is not negative and not longer than ten years; no limit is 0");
    }
  }
  if (options.close_timeout == Duration::zero())
    return wrong("close_timeout: a peer may never close, so it has a limit");
  return std::nullopt;
}

// Adds the handshake to the request, which goes to ws(s) where it said http(s): a proxy makes a tunnel of it.
std::optional<Error> prepare(Request& request, Opening& opening) {
  if (auto unsound = check(opening.options)) return unsound;
  if (request.method() != "GET" || request.has_body()) {
    return Error(ErrorCode::invalid_request, Phase::prepare, "a WebSocket begins with a GET without a body");
  }
  opening.offer = {.key = websocket::make_key(),
                   .subprotocols = opening.options.subprotocols,
                   .deflate = opening.options.deflate,
                   .keep_windows = opening.options.keep_windows};
  if (auto sound = websocket::check_offer(opening.offer); !sound) return sound.error();
  if (equals_ignore_case(std::string_view(request.url()).substr(0, 4), "http")) {
    request.url("ws" + request.url().substr(4));
  }
  request.upgrade("websocket");
  websocket::write_offer(opening.offer, request.headers());
  return std::nullopt;
}

Error refusal(const ResponseHead& head) {
  Error error(ErrorCode::upgrade_refused, Phase::first_byte,
              "the server answered " + std::to_string(head.status) + " " + printable(head.reason, 64) +
                  " instead of switching to a WebSocket");
  if (head.status == 429 || head.status == 503) error.kind = ErrorKind::overloaded;
  error.address = head.connection.address;
  error.maybe_processed = MaybeProcessed::yes;
  return error;
}

Result<WebSocket> finish(const Opening& opening, Result<ResponseStream> stream) {
  if (!stream) return std::move(stream).error();
  const ResponseHead& head = stream->head();
  if (!stream->upgraded()) return refusal(head);
  Result<websocket::Agreement> agreement = websocket::read_answer(opening.offer, head.headers);
  if (!agreement) {
    Error error = std::move(agreement).error();
    error.address = head.connection.address;
    return error;
  }
  Result<UpgradedConnection> upgraded = stream->take_connection();
  if (!upgraded) return std::move(upgraded).error();
  StreamWatches watches;
  const std::unique_ptr<UpgradedConnection::Impl> taken = std::move(*upgraded).release(watches);
  std::string held;
  Connection& connection = taken->release(held);
  auto impl = std::make_shared<WebSocket::Impl>(connection, std::move(held), opening.options, std::move(*agreement),
                                                std::move(watches));
  impl->begin();
  return WebSocket(std::move(impl));
}

}  // namespace

Result<WebSocket> Client::connect_websocket(Request request, const WebSocketOptions& options) const {
  Opening opening{options, {}};
  if (auto error = prepare(request, opening)) return std::move(*error);
  return finish(opening, round_tripper_->open(std::move(request)));
}

CallHandle Client::start_websocket(Request request, const WebSocketOptions& options,
                                   Callback<void(Result<WebSocket>)> done) const {
  auto opening = std::make_shared<Opening>(Opening{options, {}});
  std::optional<Error> error = prepare(request, *opening);
  // A request that can't be sent fails as one: the round tripper calls back from where it always does.
  if (error) request = Request("GET", "");
  return round_tripper_->start_open(std::move(request), [opening, error = std::move(error), done = std::move(done)](
                                                            Result<ResponseStream> stream) mutable {
    if (error) return done(std::move(*error));
    done(finish(*opening, std::move(stream)));
  });
}

}  // namespace trunkline
