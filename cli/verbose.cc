#include "verbose.h"

#include <cstdio>
#include <string_view>

#include <trunkline/url.hpp>

#include "base/text.h"
#include "client/body_decoding.h"
#include "http1/request_encoder.h"

namespace trunkline::cli {
namespace {

// Each line of a message head, with its mark in front and its secrets taken out.
std::string marked(std::string_view head, std::string_view mark, const Secrecy& secrecy) {
  std::string out;
  bool first = true;
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    const std::size_t colon = line.find(':');
    out += mark;
    if (std::exchange(first, false) || colon == std::string_view::npos) {
      out += printable(line, 16 * 1024);
    } else {
      const std::string_view value = line.substr(std::min(line.size(), colon + 2));
      out += printable(line.substr(0, colon), 1024) + ": " + secrecy.header_value(line.substr(0, colon), value);
    }
    out += '\n';
  }
  return out;
}

std::optional<std::uint64_t> length_of_body(const Request& request) {
  if (request.source()) return request.source()->length();
  if (request.has_body()) return request.body().size();
  return std::nullopt;
}

}  // namespace

std::string describe(const TraceEvent& event) {
  char at[32];
  std::snprintf(at, sizeof at, "* +%.6f s ", std::chrono::duration<double>(event.at).count());
  std::string line = at + std::string(to_string(event.kind));
  if (event.connection) line += ", connection " + std::to_string(event.connection);
  if (!event.detail.empty()) line += ": " + printable(event.detail, 1024);
  return line + "\n";
}

std::string describe_connection(const ConnectionInfo& info) {
  if (info.id == 0) return {};
  std::string line = "* Connection " + std::to_string(info.id) + " to " + printable(info.address) + ": ";
  if (info.reused) {
    line += "reused, its request number " + std::to_string(info.requests);
  } else {
    line += "dialled (" + std::string(to_string(info.dial_reason)) + "), none was reused: ";
    line += to_string(info.reuse_miss);
  }
  if (!info.tls.empty()) line += "\n* TLS: " + printable(info.tls);
  return line + "\n";
}

// Said before there is a connection, so that of a protocol that is still to be chosen nothing is said.
std::string describe_request(const Request& request, const Options& options, const Secrecy& secrecy) {
  const Result<Url> url = Url::parse(request.url());
  if (!url || !http1::check_request(request.method(), url->target(), request.headers())) return {};
  http1::RequestHead head;
  head.method = request.method();
  head.target = url->target();
  head.host = url->authority();
  head.headers = &request.headers();
  head.user_agent = options.user_agent;
  if (options.decompress && accepts_codings(request)) head.accept_encoding = accepted_codings;
  head.upgrade = request.wants_upgrade();
  head.expect_continue = request.wants_continue();
  head.has_body = request.has_body();
  head.content_length = length_of_body(request);
  std::string buffer;
  std::string text(http1::encode_head(head, buffer));
  constexpr std::string_view version = " HTTP/1.1";
  const std::size_t at = text.find("\r\n") - version.size();
  if (options.protocol == Protocol::http2 || options.protocol == Protocol::h2c) {
    text.replace(at, version.size(), " HTTP/2");
  } else if (options.protocol == Protocol::automatic && url->secure() && !request.wants_upgrade()) {
    text.erase(at, version.size());
  }
  return marked(text, "> ", secrecy);
}

std::string describe_response(const ResponseHead& head, const Secrecy& secrecy) {
  return marked(head_text(head), "< ", secrecy);
}

std::string status_line(const ResponseHead& head) {
  const bool is_http2 = head.connection.protocol == "h2" || head.connection.protocol == "h2c";
  std::string line = (is_http2 ? "HTTP/2 " : "HTTP/1.1 ") + std::to_string(head.status);
  if (!head.reason.empty()) line += " " + head.reason;
  return line;
}

std::string head_text(const ResponseHead& head) {
  std::string text = status_line(head) + "\r\n";
  for (const Headers::Field field : head.headers) {
    text += field.name;
    text += ": ";
    text += field.value;
    text += "\r\n";
  }
  return text + "\r\n";
}

}  // namespace trunkline::cli
