// What a call does beyond the usual when the response's body is coded.
#include "client/call.h"

namespace trunkline {

// The head of a response without a body stays as it is.
void Call::begin_decoding() {
  const int status = response_.status;
  if (status < 200 || status == 204 || status == 304 || request_.method() == "HEAD") return;
  decoding_ = BodyDecoding::begin(response_, kind_ == Kind::whole ? body_limit_ : UINT64_MAX);
}

bool Call::on_coded(std::string_view data) {
  if (kind_ == Kind::whole) return decoding_->append(data, response_.body);
  const std::size_t before = into_.size();
  const bool is_sound = decoding_->take(data, into_);
  read_bytes_ += before - into_.size();
  return is_sound;
}

// Text that earlier bytes hold: true when that is the reader's result.
bool Call::read_held() {
  const std::size_t before = into_.size();
  const bool is_sound = decoding_->resume(into_);
  read_bytes_ = before - into_.size();
  if (is_sound || read_bytes_ > 0) return read_bytes_ > 0;
  error_ = std::make_unique<Error>(decoding_error());
  into_ = {};
  if (Carrier* const carrier = std::exchange(carrier_, nullptr)) {
    if (reading_ && carrier->in_caller_mode()) carrier->hand_to_loop();
    carrier->abort(CloseReason::early_body_close);
  }
  count_end();
  return true;
}

Error Call::decoding_error() const {
  Error error = *decoding_->error();
  error.maybe_processed = MaybeProcessed::yes;
  fill(error);
  return error;
}

}  // namespace trunkline
