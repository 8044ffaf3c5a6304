#include "http2/callback_set.h"

#include "base/text.h"
#include "http2/outlet.h"
#include "http2/request_fields.h"

namespace trunkline::http2 {

nghttp2_option* session_options(std::size_t most_sent_field_bytes) {
  constexpr std::size_t most_queued_answers = 1000;  // to PING and SETTINGS, that wait because the peer does not read
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_http_messaging(option, 1);  // FieldBlock and the sessions look at what it would
  nghttp2_option_set_max_send_header_block_length(option, most_sent_field_bytes);
  nghttp2_option_set_max_outbound_ack(option, most_queued_answers);
  return option;
}

ssize_t give_body(nghttp2_session* session, std::int32_t id, const Stream::Body& body, std::uint32_t* flags) {
  if (body.kind == Stream::Body::later || (body.size == 0 && !body.end)) return NGHTTP2_ERR_DEFERRED;
  if (body.size > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (body.end) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (body.trailers != nullptr && !body.trailers->empty()) {
      const auto fields = trailer_fields(*body.trailers);
      if (nghttp2_submit_trailer(session, id, fields.data(), fields.size()) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      }
    }
  }
  return static_cast<ssize_t>(body.size);
}

ssize_t give_up_body(nghttp2_session* session, std::int32_t id, Code code) {
  nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(code));
  return NGHTTP2_ERR_DEFERRED;
}

std::string debug_of(const nghttp2_goaway& goaway) {
  constexpr std::size_t shown_bytes = 200;
  return printable(view(goaway.opaque_data, goaway.opaque_data_len), shown_bytes);
}

std::string reason_of(const nghttp2_goaway& goaway, int invalid_frame) {
  std::string why(view(goaway.opaque_data, goaway.opaque_data_len));
  if (why.empty() && invalid_frame != 0) why = nghttp2_strerror(invalid_frame);
  if (why.empty()) why = to_string(static_cast<Code>(goaway.error_code));
  return why;
}

}  // namespace trunkline::http2
