// Whatever check_request and check_framing accept is written as exactly one request: as many lines as there are fields,
// one Host, one framing. The input is flags, then method, target, names and values, each ended by byte 0xFE.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/characters.h"
#include "http1/request_encoder.h"
#include "require.h"

namespace {

using trunkline::equals_ignore_case;
using trunkline::Headers;

std::string_view take(std::string_view& bytes) {
  const std::size_t end = bytes.find('\xFE');
  const std::string_view part = bytes.substr(0, end);
  bytes = end == std::string_view::npos ? std::string_view() : bytes.substr(end + 1);
  return part;
}

// Takes a line up to CR LF; neither byte may be anywhere else.
std::string_view take_line(std::string_view& rest, std::string_view written) {
  const std::size_t end = rest.find_first_of(std::string_view("\r\n\0", 3));
  require(end != std::string_view::npos && rest.substr(end, 2) == "\r\n", "a line without CR LF", written);
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

// Takes fields through the empty line; returns how many there were.
std::size_t take_fields(std::string_view& rest, std::string_view written, std::size_t& hosts, std::size_t& framings) {
  for (std::size_t count = 0;; ++count) {
    const std::string_view line = take_line(rest, written);
    if (line.empty()) return count;
    const std::size_t colon = line.find(':');
    require(colon != std::string_view::npos && trunkline::is_token(line.substr(0, colon)), "a name", written);
    const std::string_view name = line.substr(0, colon);
    if (equals_ignore_case(name, "host")) ++hosts;
    if (equals_ignore_case(name, "content-length") || equals_ignore_case(name, "transfer-encoding")) ++framings;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned flags = data[0];
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  trunkline::http1::RequestHead head;
  head.method = take(bytes);
  head.target = take(bytes);
  head.host = "example.org";
  head.user_agent = (flags & 1) != 0 ? "fuzz" : "";
  head.upgrade = (flags & 2) != 0;
  head.has_body = (flags & 4) != 0;
  if ((flags & 8) != 0) head.content_length = flags >> 4;
  head.expect_continue = head.has_body && (flags & 16) != 0;
  Headers headers;
  while (!bytes.empty() && headers.size() < 100) {
    const std::string_view name = take(bytes);
    headers.add(name, take(bytes));
  }
  head.headers = &headers;

  std::string trailers;
  if (trunkline::http1::encode_last_chunk(headers, trailers)) {
    std::string_view rest = trailers;
    std::size_t hosts = 0;
    std::size_t framings = 0;
    require(take_line(rest, trailers) == "0", "the last chunk", trailers);
    require(take_fields(rest, trailers, hosts, framings) == headers.size(), "the number of trailers", trailers);
    require(rest.empty() && hosts == 0 && framings == 0, "a trailer", trailers);
  } else {
    require(trailers.empty(), "a refused trailer", trailers);
  }

  if (!trunkline::http1::check_request(head.method, head.target, headers)) return 0;
  if (!trunkline::http1::check_framing(headers, head.has_body, head.content_length, head.upgrade)) return 0;
  std::string buffer;
  const std::string written(trunkline::http1::encode_head(head, buffer));

  std::string_view rest = written;
  const std::string_view request_line = take_line(rest, written);
  const std::string expected = std::string(head.method) + " " + std::string(head.target) + " HTTP/1.1";
  require(request_line == expected, "the request line", written);
  std::size_t hosts = 0;
  std::size_t framings = 0;
  const std::size_t fields = take_fields(rest, written, hosts, framings);
  require(rest.empty(), "bytes after the head", written);
  require(hosts == 1, "the number of Host fields", written);
  require(framings <= 1 && (framings == 1 || !head.has_body), "the number of framing fields", written);
  require(fields <= headers.size() + 5, "the number of fields", written);
  return 0;
}
