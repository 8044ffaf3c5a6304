// For tests and fuzzing: what a request decoder said about some bytes, as text, so that two ways of cutting the same
// bytes can be compared and failures read well. Data that came in pieces is joined. Requests of one connection are read
// one behind the other.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http1/decoder_transcript.h"
#include "http1/request_decoder.h"

namespace trunkline::http1 {

inline std::string describe(const RequestDecoder& decoder, const ReceivedRequest& head) {
  std::string out = head.method + " " + head.target;
  if (head.minor_version == 0) out += " (1.0)";
  append_fields(out, head.headers);
  if (decoder.body() == RequestDecoder::Body::length) out += " length " + std::to_string(decoder.content_length());
  if (decoder.body() == RequestDecoder::Body::chunked) out += " chunked";
  if (decoder.expects_continue()) out += " expects continue";
  if (decoder.wants_upgrade()) out += " wants upgrade";
  return out;
}

// "GET / [Host=a]; end reusable" or "...; 400".
inline std::string request_transcript(const std::vector<std::string_view>& pieces, const RequestLimits& limits = {}) {
  RequestDecoder decoder(limits);
  using Event = RequestDecoder::Event;
  std::string out;
  std::string data;
  const auto say = [&](const std::string& what) { out += (out.empty() ? "" : "; ") + what; };
  const auto flush_data = [&] {
    if (!data.empty()) say("data " + data);
    data.clear();
  };
  const auto say_last = [&](Event event) {
    flush_data();
    if (event == Event::error) {
      say(std::to_string(decoder.refusal().status));
      if (decoder.keep_alive()) std::abort();
      return;
    }
    std::string text = "end";
    append_fields(text, decoder.trailers());
    say(text + (decoder.keep_alive() ? " reusable" : ""));
  };
  for (const std::string_view piece : pieces) {
    std::string_view input = piece;
    for (;;) {
      const std::string_view before = input;
      const Event event = decoder.next(input);
      if (event == Event::need_more) {
        if (!input.empty()) std::abort();
        break;
      }
      if (event == Event::head) say(describe(decoder, decoder.head()));
      if (event == Event::data) {
        // A view of the input, never a copy.
        if (decoder.data().empty() || decoder.data().data() < before.data()) std::abort();
        if (decoder.data().data() + decoder.data().size() > before.data() + before.size()) std::abort();
        data += decoder.data();
      }
      if (event == Event::error) return say_last(event), out;
      if (event != Event::end) continue;
      say_last(event);
      if (!decoder.keep_alive()) return out;
      decoder.begin();
    }
  }
  if (decoder.started()) say_last(decoder.finish());
  return out;
}

}  // namespace trunkline::http1
