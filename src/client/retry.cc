#include "client/retry.h"

namespace trunkline {

namespace {
constexpr int most_sendings = 10;
}

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE" || method == "PUT" ||
         method == "DELETE";
}

MaybeProcessed maybe_processed(const Attempt& attempt) {
  if (attempt.unprocessed) return MaybeProcessed::no;
  if (attempt.any_byte_received) return MaybeProcessed::yes;
  return attempt.any_byte_sent ? MaybeProcessed::unknown : MaybeProcessed::no;
}

bool may_retry(const Attempt& attempt) {
  // Whoever asks for calm, or for better security, must not be asked again at once.
  if (attempt.code == ErrorCode::throttled || attempt.code == ErrorCode::tls_failed) return false;
  // Whatever the method: nothing has happened. A server that goes away again and again is not asked for ever.
  if (attempt.unprocessed) return attempt.replayable && (attempt.pulled_back || attempt.retries + 1 < most_sendings);
  if (attempt.retries > 0 || !attempt.replayable || attempt.any_byte_received) return false;
  // Only a connection that broke: a time limit, a protocol error or the caller's word are final.
  if (attempt.code == ErrorCode::stream_reset) return attempt.idempotent;
  if (attempt.code != ErrorCode::connection_closed && attempt.code != ErrorCode::connection_reset) return false;
  if (!attempt.any_byte_sent) return true;
  // A server closes an idle connection at any moment, perhaps just as we write. One that we had not used before has no
  // such excuse: the server may be crashing on this very request.
  return attempt.reused && attempt.idempotent;
}

}  // namespace trunkline
