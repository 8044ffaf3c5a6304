// The half of RequestDecoder that judges a head: its request line, and the few fields that frame and route it.
#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "base/characters.h"
#include "http1/request_decoder.h"
#include "url/host_value.h"

namespace trunkline::http1 {
namespace {

constexpr std::size_t longest_method = 32;

// "gzip, chunked": what RFC 9112 section 6.1 permits, each coding a token and "chunked" once, last.
bool is_coded_and_chunked(std::string_view codings) {
  std::string_view coding;
  int count = 0;
  bool was_chunked = false;
  while (next_element(codings, coding)) {
    const char* const end = coding.data() + coding.size();
    if (was_chunked || skip_token(coding.data(), end) != end || matches(coding, "identity")) return false;
    was_chunked = matches(coding, "chunked");
    ++count;
  }
  return was_chunked && count > 1;
}

bool is_target_byte(char c) { return c > ' ' && c < 0x7F && c != '#'; }  // bytes above ASCII are negative, or above

// The authority of "http://authority/path", or nothing.
std::string_view authority_of(std::string_view target) {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (!equals_ignore_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    return rest.substr(0, rest.find_first_of("/?"));
  }
  return {};
}

// "host:port", as CONNECT names where it wants to go.
bool is_host_and_port(std::string_view target) {
  const std::size_t colon = target.rfind(':');
  return colon != std::string_view::npos && target.find(']', colon) == std::string_view::npos && is_host_value(target);
}

}  // namespace

// Refused as soon as the first byte is there: a client of another protocol may never send an LF.
bool RequestDecoder::check_start(std::string_view block) {
  if (is_token_char(block.front())) return true;
  std::string_view what = "it does not begin with a method";
  if (block.front() == 0x15 || block.front() == 0x16) what = "it looks like TLS, which this port does not speak";
  if (block.front() == '\r' || block.front() == '\n') what = "an empty line stands before the request";
  fail(400, what);
  return false;
}

// "GET /path HTTP/1.1" CR LF. Returns the start of the next line; null when it is not right, which judge_line explains,
// or failed.
const char* RequestDecoder::parse_request_line(const char* line, const char* end) {
  const void* const lf = std::memchr(line, '\n', static_cast<std::size_t>(end - line));
  if (lf == nullptr) return nullptr;
  const char* const next = static_cast<const char*>(lf) + 1;
  if (static_cast<std::size_t>(next - line) > limits_.request_line_bytes) return nullptr;
  const char* const method_end = skip_token(line, next);
  if (*method_end != ' ') return nullptr;
  const char* const target = method_end + 1;
  const char* const target_end = std::find_if_not(target, next, is_target_byte);
  constexpr std::string_view version = "HTTP/1.1\r\n";
  const std::string_view rest(target_end, next);
  if (target == target_end || rest.size() != 1 + version.size() || rest[0] != ' ') return nullptr;
  if (!rest.substr(1).starts_with("HTTP/") || !is_digit(rest[6]) || rest[7] != '.' || !is_digit(rest[8]))
    return nullptr;
  if (!rest.ends_with("\r\n")) return nullptr;
  if (rest[6] != '1' || rest[8] > '1') {
    fail(505, "its version is neither HTTP/1.1 nor HTTP/1.0");
    return nullptr;
  }
  if (static_cast<std::size_t>(method_end - line) > longest_method) {
    fail(501, "its method is longer than any that exists");
    return nullptr;
  }
  head_.method.assign(line, method_end);
  head_.target.assign(target, target_end);
  head_.minor_version = rest[8] - '0';
  return next;
}

// The few fields that decide framing, routing and reuse, told apart by length first.
bool RequestDecoder::note_field(std::string_view name, std::string_view value, std::size_t index) {
  const auto refuse = [&](std::string_view what, int status = 400) { return fail_field(name, what, status), false; };
  switch (name.size()) {
    case 4:
      if (!matches(name, "host")) return true;
      if (std::exchange(noted_.has_host, true)) return refuse("occurs twice");
      noted_.host_index = index;
      return is_host_value(value) || refuse("is not \"host\" or \"host:port\"");
    case 6:
      if (!matches(name, "expect")) return true;
      noted_.expects_continue = true;
      return matches(value, "100-continue") || refuse("is not \"100-continue\"", 417);
    case 7:
      noted_.upgrade_field = noted_.upgrade_field || matches(name, "upgrade");
      return true;
    case 10:
      if (matches(name, "connection")) note_connection(value);
      return true;
    case 14:
      if (!matches(name, "content-length")) return true;
      // RFC 9110 section 8.6 lets a recipient accept equal duplicates ("5, 5"). We do not: honest clients send one.
      if (std::exchange(noted_.has_length, true)) return refuse("occurs twice");
      return parse_decimal(value, noted_.length) || refuse("is not one decimal number below 2^64");
    case 17:
      if (!matches(name, "transfer-encoding")) return true;
      // One proxy joins the lines, another reads the first only.
      if (noted_.chunked) return refuse("occurs twice");
      noted_.chunked = true;
      if (matches(value, "chunked")) return true;
      // Another coding below a last "chunked" is HTTP that we do not speak; all else is ambiguous.
      return refuse("is not exactly \"chunked\"", is_coded_and_chunked(value) ? 501 : 400);
    default:
      return true;
  }
}

void RequestDecoder::note_connection(std::string_view options) {
  std::string_view option;
  while (next_element(options, option)) {
    noted_.close = noted_.close || matches(option, "close");
    noted_.keep_alive = noted_.keep_alive || matches(option, "keep-alive");
    noted_.upgrade_option = noted_.upgrade_option || matches(option, "upgrade");
  }
}

RequestDecoder::Event RequestDecoder::complete_head() {
  if (noted_.chunked && noted_.has_length) {
    return fail(400, "it has both Content-Length and Transfer-Encoding");
  }
  if (noted_.chunked && head_.minor_version == 0) return fail(400, "it is HTTP/1.0 with Transfer-Encoding");
  if (!noted_.has_host && head_.minor_version == 1) return fail(400, "it has no Host field");
  if (const std::string_view wrong = target_problem(); !wrong.empty()) return fail(400, wrong);
  const bool has_body = noted_.chunked || noted_.length != 0;
  if (has_body && head_.method == "CONNECT") return fail(400, "it is CONNECT with a body");
  if (noted_.length > body_limit_) return fail_body();

  head_done_ = true;
  const bool is_new = head_.minor_version == 1;
  keep_alive_ = !noted_.close && (is_new || noted_.keep_alive);
  expects_continue_ = noted_.expects_continue && is_new && has_body;  // RFC 9110 section 10.1.1
  wants_upgrade_ = noted_.upgrade_field && noted_.upgrade_option && is_new;
  if (noted_.chunked) {
    body_ = Body::chunked;
    chunks_ = {};
    chunks_.limit(body_limit_);
    state_ = State::chunked_body;
  } else {
    if (has_body) body_ = Body::length;
    content_length_ = remaining_ = noted_.length;
    state_ = State::length_body;
  }
  return Event::head;
}

// A target whose form does not fit its method, or that names another host than Host does: whoever stands in front of us
// may have gone by the other one.
std::string_view RequestDecoder::target_problem() const {
  const std::string_view target = head_.target;
  if (head_.method == "CONNECT") return is_host_and_port(target) ? "" : "the target of CONNECT is not \"host:port\"";
  if (target.front() == '/') return {};
  if (target == "*") return head_.method == "OPTIONS" ? "" : "the target \"*\" is for OPTIONS only";
  const std::string_view authority = authority_of(target);
  if (authority.empty()) return "the target is neither a path nor an http or https URL";
  if (!is_host_value(authority)) return "the authority in the target is not \"host\" or \"host:port\"";
  if (noted_.has_host && !equals_ignore_case(authority, host())) return "the target and the Host field name two hosts";
  return {};
}

bool RequestDecoder::limit_body(std::uint64_t bytes) {
  assert(head_done_ && data_.empty());
  if (state_ == State::failed) return false;
  body_limit_ = std::min(bytes, limits_.body_bytes);
  chunks_.limit(body_limit_);
  if (content_length_ <= body_limit_) return true;
  fail_body();
  return false;
}

}  // namespace trunkline::http1
