// The answer to a scrape: which format and coding the client asked for (RFC 9110 sections 12.5.1 and 12.5.3), and the
// page in it.
#pragma once

#include <string>
#include <string_view>

#include "metrics/exposition.h"

namespace trunkline::metrics {

class Registry;

// The one of the highest weight; the first one of those that weigh the same. Whoever accepts neither gets text: a
// scraper that can read it is better served by it than by a 406.
Format negotiate(std::string_view accept);

// "gzip" was accepted, by its name or by *.
bool accepts_gzip(std::string_view accept_encoding);

std::string_view content_type_of(Format format);

struct Page {
  std::string_view content_type;
  std::string_view content_encoding;  // empty: none
  std::string body;
};

// What GET /metrics answers to these fields of its request. It varies with both of them.
Page serve_page(const Registry& registry, std::string_view accept, std::string_view accept_encoding);

std::string gzip(std::string_view text);

}  // namespace trunkline::metrics
