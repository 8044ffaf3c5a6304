// The fields of one request's head as they are decoded: its pseudo-header fields here, all others in a FieldBlock. What
// RFC 9113 section 8.3 does not permit makes the request malformed.
#pragma once

#include <cstddef>
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
  bool is_request() const;
  ReceivedRequest take_request();
  Headers take_trailers() const { return fields_.take(); }
  // The block is done with: a connection with a large one in its past keeps no memory for it.
  void end() { fields_.shrink(); }

 private:
  enum Pseudo : unsigned char { method, scheme, authority, path, pseudo_count };

  bool add_pseudo(std::string_view name, std::string_view value);
  bool has(Pseudo which) const { return (seen_ >> which & 1) != 0; }

  FieldBlock fields_;
  std::string method_;
  std::string scheme_;
  std::string authority_;
  std::string path_;
  std::string host_;  // of a Host field
  unsigned seen_ = 0;
  bool has_host_ = false;
  bool in_fields_ = false;  // an ordinary field has come
  bool trailers_ = false;
};

}  // namespace trunkline::http2
