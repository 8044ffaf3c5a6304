// The fields of one request's head as they are decoded: its pseudo-header fields here, all others in a FieldBlock. What
// RFC 9113 section 8.3 does not permit makes the request malformed. Clients repeat themselves, as servers do: what is
// the same as in the request before is there already, and known to be sound.
#pragma once

#include <cstddef>
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
  // All fields are there: do they make a request?
  bool is_request();
  ReceivedRequest take_request() const;
  Headers take_trailers() const { return fields_.take(); }
  // The block is done with: a connection with a large one in its past keeps no memory for it.
  void end();

 private:
  enum Pseudo : unsigned char { method, scheme, authority, path, pseudo_count };

  bool add_pseudo(std::string_view name, std::string_view value);
  void set(std::string& where, std::string_view value);
  bool judge() const;
  unsigned kinds() const { return seen_ | (has_host_ ? 1U << pseudo_count : 0); }
  bool has(Pseudo which) const { return (seen_ >> which & 1) != 0; }

  FieldBlock fields_;
  std::string method_;
  std::string scheme_;
  std::string authority_;
  std::string path_;
  std::string host_;  // of a Host field
  unsigned seen_ = 0;
  std::optional<unsigned> sound_;  // these texts make a request, with kinds() so
  bool has_host_ = false;
  bool in_fields_ = false;  // an ordinary field has come
  bool trailers_ = false;
};

}  // namespace trunkline::http2
