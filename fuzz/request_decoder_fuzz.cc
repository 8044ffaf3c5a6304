// Whole, byte by byte and cut in two, the same bytes must give the same requests; and what was accepted, written anew
// from what was read of it, must be read the same again. The first byte chooses the limits and the cut.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_by_byte.h"
#include "http1/request_decoder.h"
#include "http1/request_encoder.h"
#include "http1/request_transcript.h"

namespace {

using namespace trunkline::http1;
using trunkline::Headers;

void require(bool ok, const std::string& expected, const std::string& other) {
  if (ok) return;
  std::fprintf(stderr, "one way:\n%s\nanother:\n%s\n", expected.c_str(), other.c_str());
  std::abort();
}

struct Whole {
  ReceivedRequest head;
  std::string described;
  std::string body;
  bool chunked = false;
  Headers trailers;
};

// The first request in the input, if it is accepted to its end.
bool read_one(std::string_view& input, const RequestLimits& limits, Whole& whole) {
  RequestDecoder decoder(limits);
  for (;;) {
    switch (decoder.next(input)) {
      case RequestDecoder::Event::need_more:
      case RequestDecoder::Event::error:
        return false;
      case RequestDecoder::Event::head:
        whole.described = describe(decoder, decoder.head());
        whole.chunked = decoder.body() == RequestDecoder::Body::chunked;
        whole.head = std::move(decoder.head());
        break;
      case RequestDecoder::Event::data:
        whole.body += decoder.data();
        break;
      case RequestDecoder::Event::end:
        whole.trailers = std::move(decoder.trailers());
        return true;
    }
  }
}

std::string write(const Whole& whole) {
  std::string out = whole.head.method + " " + whole.head.target + " HTTP/1." + std::to_string(whole.head.minor_version);
  out += "\r\n";
  for (const Headers::Field field : whole.head.headers) {
    out.append(field.name).append(":").append(field.value).append("\r\n");
  }
  out += "\r\n";
  if (!whole.chunked) return out + whole.body;
  if (!whole.body.empty()) {
    encode_chunk_prefix(whole.body.size(), out);
    out.append(whole.body).append("\r\n");
  }
  out += "0\r\n";
  for (const Headers::Field field : whole.trailers) {
    out.append(field.name).append(":").append(field.value).append("\r\n");
  }
  return out + "\r\n";
}

std::string fields_of(const Headers& fields) {
  std::string out;
  append_fields(out, fields);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 100'000) return 0;
  RequestLimits limits;
  if ((data[0] & 1) != 0) {
    limits = {.request_line_bytes = 40,
              .field_bytes = 100,
              .field_count = 5,
              .body_bytes = 10,
              .chunk_line_bytes = 16,
              .chunk_extension_bytes = 20};
  }
  // In memory of their own, so that AddressSanitizer sees what is read beyond.
  const std::vector<char> own(data + 1, data + size);
  const std::string_view bytes(own.data(), own.size());

  const std::string expected = request_transcript({bytes}, limits);
  const std::string slowly = request_transcript(trunkline::byte_by_byte(bytes), limits);
  require(slowly == expected, expected, slowly);
  const std::size_t cut = (data[0] >> 1) % bytes.size();
  const std::string halves = request_transcript({bytes.substr(0, cut), bytes.substr(cut)}, limits);
  require(halves == expected, expected, halves);

  std::string_view input = bytes;
  Whole whole;
  if (!read_one(input, limits, whole)) return 0;
  const std::string written = write(whole);
  std::string_view rest = written;
  Whole again;
  const bool accepted = read_one(rest, limits, again);
  require(accepted && rest.empty(), std::string(bytes), written);
  require(again.described == whole.described, whole.described, again.described);
  require(again.body == whole.body && fields_of(again.trailers) == fields_of(whole.trailers), whole.body, again.body);
  return 0;
}
