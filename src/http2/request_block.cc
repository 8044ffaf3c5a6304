#include "http2/request_block.h"

#include <algorithm>
#include <utility>

#include "base/characters.h"
#include "url/host_value.h"

namespace trunkline::http2 {
namespace {

bool is_path(std::string_view text, std::string_view method) {
  if (text == "*") return method == "OPTIONS";
  // Bytes above ASCII are negative, or above 0x7F.
  return text.starts_with('/') &&
         std::none_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c >= 0x7F || c == '#'; });
}

bool has_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  return colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
}

constexpr std::size_t longest_method = 32;
constexpr std::size_t usual_text = 512;

}  // namespace

void RequestBlock::begin(bool trailers) {
  fields_.begin(trailers);
  trailers_ = trailers;
  seen_ = 0;
  pseudo_at_ = trailers ? no_more : 0;
  has_host_ = false;
}

bool RequestBlock::add(std::string_view name, std::string_view value) {
  if (!name.starts_with(':')) return note_field(name, value) && fields_.add(name, value);
  forget_from(0);
  return add_pseudo(name, value) != pseudo_count;
}

bool RequestBlock::add(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  const std::string_view name_text = view(name);
  const std::string_view value_text = view(value);
  if (!name_text.starts_with(':')) {
    return note_field(name_text, value_text) && fields_.add_and_hold(name_text, value_text, name, value);
  }
  const Pseudo which = add_pseudo(name_text, value_text);
  if (which == pseudo_count) return false;
  // What is held behind it is of an older block, and what it says may have been set to something else since.
  forget_from(pseudo_at_ + 1);
  HeldPseudo& held = held_[pseudo_at_++];
  held_count_ = pseudo_at_;
  held.hold(name, value, name_text.size() + value_text.size());
  held.which = which;
  return true;
}

void RequestBlock::forget_from(std::size_t at) {
  while (held_count_ > at) held_[--held_count_].drop();
}

bool RequestBlock::note_field(std::string_view name, std::string_view value) {
  pseudo_at_ = no_more;
  if (trailers_ || name != host_name) return true;
  if (std::exchange(has_host_, true) || !is_host_value(value)) return false;
  set(host_, value);
  return true;
}

// Each once, and before all others; if not, pseudo_count. ":protocol" (RFC 8441) was not offered, ":status" is a
// response's.
RequestBlock::Pseudo RequestBlock::add_pseudo(std::string_view name, std::string_view value) {
  if (pseudo_at_ == no_more) return pseudo_count;
  Pseudo which = pseudo_count;
  std::string* where = nullptr;
  if (name == ":method") {
    which = method;
    where = &method_;
  } else if (name == ":scheme") {
    which = scheme;
    where = &scheme_;
  } else if (name == ":authority") {
    which = authority;
    where = &authority_;
  } else if (name == ":path") {
    which = path;
    where = &path_;
  }
  if (where == nullptr || has(which)) return pseudo_count;
  seen_ |= 1U << which;
  set(*where, value);
  return which;
}

void RequestBlock::set(std::string& where, std::string_view value) {
  if (where == value) return;
  where = value;
  sound_.reset();
  grown_ = grown_ || value.size() > usual_text;
}

bool RequestBlock::is_request() {
  if (sound_ == kinds()) return true;
  if (!judge()) return false;
  sound_ = kinds();
  return true;
}

bool RequestBlock::judge() const {
  if (!has(method) || method_.size() > longest_method || !is_token(method_)) return false;
  // Whoever stands in front of us may have gone by the one, and we by the other.
  if (has(authority) && (!is_host_value(authority_) || (has_host_ && !equals_ignore_case(host_, authority_)))) {
    return false;
  }
  if (method_ == "CONNECT") return has(authority) && has_port(authority_) && !has(scheme) && !has(path);
  if (!has(authority) && !has_host_) return false;
  return has(scheme) && (scheme_ == "https" || scheme_ == "http") && has(path) && is_path(path_, method_);
}

ReceivedRequest RequestBlock::take_request() const {
  ReceivedRequest request;
  request.method = method_;
  if (has(scheme)) request.scheme = scheme_;
  request.authority = has(authority) ? authority_ : host_;
  if (has(path)) request.path = path_;
  request.headers = fields_.take();
  request.content_length = fields_.content_length();
  return request;
}

void RequestBlock::shrink() {
  for (std::string* const text : {&method_, &scheme_, &authority_, &path_, &host_}) {
    if (text->capacity() > usual_text) std::string().swap(*text);
  }
  sound_.reset();
  forget_from(0);
  grown_ = false;
}

}  // namespace trunkline::http2
