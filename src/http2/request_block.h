// The fields of one request's head as they are decoded: its pseudo-header fields here, all others in a FieldBlock. What
// RFC 9113 section 8.3 does not permit makes the request malformed. Clients repeat themselves, as servers do: what is
// the same as in the request before is there already, and known to be sound.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http2/field_block.h"
#include "http2/server_stream.h"

namespace trunkline::http2 {

class RequestBlock {
 public:
  void begin(bool trailers);
  // False: it breaks HTTP, and with it all of the block.
  bool add(std::string_view name, std::string_view value);
  bool add(nghttp2_rcbuf* name, nghttp2_rcbuf* value);  // which are worth knowing again

  // As FieldBlock's.
  const HeldField* known(const nghttp2_rcbuf* name, const nghttp2_rcbuf* value) const {
    if (pseudo_at_ < held_count_ && held_[pseudo_at_].is(name, value)) return &held_[pseudo_at_];
    const HeldField* const field = fields_.known(name, value);
    return field != nullptr && is_host(fields_.known_name_size()) ? nullptr : field;
  }
  bool add_known(const HeldField& field) {
    if (pseudo_at_ >= held_count_ || &field != &held_[pseudo_at_]) {
      pseudo_at_ = no_more;
      return fields_.add_known();
    }
    HeldPseudo& held = held_[pseudo_at_++];
    held.hit();
    const bool is_first = !has(held.which);
    seen_ |= 1U << held.which;
    return is_first;
  }

  // All fields are there: do they make a request?
  bool is_request();
  ReceivedRequest take_request() const;
  Headers take_trailers() const { return fields_.take(); }
  // The block is done with: a connection with a large one in its past keeps no memory for it.
  void end() {
    fields_.shrink();
    if (grown_) shrink();
  }

 private:
  enum Pseudo : unsigned char { method, scheme, authority, path, pseudo_count };

  // A pseudo-header field of the block before.
  struct HeldPseudo : HeldField {
    Pseudo which = method;
  };
  static constexpr std::string_view host_name = "host";
  static constexpr std::size_t no_more = SIZE_MAX;

  bool is_host(std::size_t name_size) const { return name_size == host_name.size() && !trailers_; }
  Pseudo add_pseudo(std::string_view name, std::string_view value);
  void forget_from(std::size_t at);
  void shrink();
  bool note_field(std::string_view name, std::string_view value);
  void set(std::string& where, std::string_view value);
  bool judge() const;
  unsigned kinds() const { return seen_ | (has_host_ ? 1U << pseudo_count : 0); }
  bool has(Pseudo which) const { return (seen_ >> which & 1) != 0; }

  FieldBlock fields_;
  std::string method_;
  std::string scheme_;
  std::string authority_;
  std::string path_;
  std::string host_;                           // of a Host field
  std::array<HeldPseudo, pseudo_count> held_;  // the first of them, in the order in which they came
  std::size_t held_count_ = 0;
  std::size_t pseudo_at_ = 0;  // so many of this block have come, or no_more may
  unsigned seen_ = 0;
  std::optional<unsigned> sound_;  // these texts make a request, with kinds() so
  bool has_host_ = false;
  bool trailers_ = false;
  bool grown_ = false;  // a long text has come
};

}  // namespace trunkline::http2
