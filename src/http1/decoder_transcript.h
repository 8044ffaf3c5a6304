// For tests and fuzzing: what a decoder said about some bytes, as text, so that two ways of cutting the same bytes can
// be compared and failures read well. Data that came in pieces is joined.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http1/response_decoder.h"

namespace trunkline::http1 {

struct TranscriptSetup {
  RequestFraming request;
  DecoderLimits limits;
  bool closes = true;  // the peer closes after the last byte
};

inline void append_fields(std::string& out, const Headers& fields) {
  for (const Headers::Field field : fields) {
    out.append(" [").append(field.name).append("=").append(field.value).append("]");
  }
}

// "head 200 OK [A=1] length 2; data hi; end reusable" or "...; error invalid_response".
inline std::string transcript(const std::vector<std::string_view>& pieces, const TranscriptSetup& setup = {}) {
  ResponseDecoder decoder(setup.limits);
  decoder.begin(setup.request);
  std::string out;
  std::string data;
  const auto flush_data = [&] {
    if (!data.empty()) out += "data " + data + "; ";
    data.clear();
  };
  const auto say_last = [&](ResponseDecoder::Event event) {
    flush_data();
    if (event == ResponseDecoder::Event::error) {
      out.append("error ").append(to_string(decoder.error().code));
      if (decoder.keep_alive()) std::abort();
      return;
    }
    out += "end";
    append_fields(out, decoder.trailers());
    if (decoder.keep_alive()) out += " reusable";
    if (decoder.upgraded()) out += " upgraded";
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string_view input = pieces[i];
    for (;;) {
      const std::string_view before = input;
      const auto event = decoder.next(input);
      if (event == ResponseDecoder::Event::need_more) {
        if (!input.empty()) std::abort();
        break;
      }
      if (event == ResponseDecoder::Event::data) {
        // A view of the input, never a copy.
        if (decoder.data().empty() || decoder.data().data() < before.data()) std::abort();
        if (decoder.data().data() + decoder.data().size() > before.data() + before.size()) std::abort();
        data += decoder.data();
        continue;
      }
      if (event == ResponseDecoder::Event::end || event == ResponseDecoder::Event::error) {
        say_last(event);
        std::string rest(input);
        for (std::size_t next = i + 1; next < pieces.size(); ++next) rest += pieces[next];
        if (event == ResponseDecoder::Event::end && !rest.empty()) out += " rest " + rest;
        return out;
      }
      out += event == ResponseDecoder::Event::informational ? "informational " : "head ";
      out += std::to_string(decoder.head().status) + " " + decoder.head().reason;
      if (decoder.head().minor_version == 0) out += " (1.0)";
      append_fields(out, decoder.head().headers);
      if (event == ResponseDecoder::Event::head) {
        if (decoder.body() == ResponseDecoder::Body::length)
          out += " length " + std::to_string(decoder.content_length());
        if (decoder.body() == ResponseDecoder::Body::chunked) out += " chunked";
        if (decoder.body() == ResponseDecoder::Body::until_close) out += " until close";
      }
      out += "; ";
    }
  }
  if (setup.closes) {
    say_last(decoder.finish());
  } else {
    flush_data();
    out += "waiting";
  }
  return out;
}

}  // namespace trunkline::http1
