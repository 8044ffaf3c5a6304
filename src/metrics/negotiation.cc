#include "metrics/negotiation.h"

#include <zlib.h>

#include <algorithm>
#include <cassert>
#include <charconv>

#include "base/characters.h"
#include "base/text.h"
#include "metrics/registry.h"

namespace trunkline::metrics {
namespace {

// Below this, coding costs more than it saves: a packet is a packet.
constexpr std::size_t least_bytes_for_gzip = 1024;

// An element such as `text/plain;version=0.0.4;q=0.5`, in small letters.
struct Choice {
  std::string name;
  std::string version;
  double weight = 1;
};

Choice parse_choice(std::string_view element) {
  Choice choice;
  for (bool is_first = true; !element.empty(); is_first = false) {
    const std::size_t end = std::min(element.find(';'), element.size());
    const std::string part = in_small_letters(trimmed(element.substr(0, end)));
    element.remove_prefix(std::min(end + 1, element.size()));
    if (is_first) choice.name = part;
    if (part.starts_with("version=")) choice.version = part.substr(8);
    if (part.starts_with("q=")) {
      double weight = 0;
      const auto [stop, failure] = std::from_chars(part.data() + 2, part.data() + part.size(), weight);
      const bool is_good = failure == std::errc() && stop == part.data() + part.size() && weight >= 0 && weight <= 1;
      choice.weight = is_good ? weight : 0;
    }
  }
  return choice;
}

// A version that we do not write is another format: text 1.0.0, say.
std::optional<Format> format_for(const Choice& choice) {
  if (choice.name == "application/openmetrics-text" && (choice.version.empty() || choice.version == "1.0.0")) {
    return Format::openmetrics;
  }
  const bool is_text = choice.name == "text/plain" && (choice.version.empty() || choice.version == "0.0.4");
  if (is_text || choice.name == "text/*" || choice.name == "*/*") return Format::text;
  return std::nullopt;
}

}  // namespace

Format negotiate(std::string_view accept) {
  Format best = Format::text;
  double weight = 0;
  for (std::string_view element; next_element(accept, element);) {
    const Choice choice = parse_choice(element);
    const std::optional<Format> format = format_for(choice);
    if (!format || choice.weight <= weight) continue;
    best = *format;
    weight = choice.weight;
  }
  return best;
}

bool accepts_gzip(std::string_view accept_encoding) {
  double any = 0;
  for (std::string_view element; next_element(accept_encoding, element);) {
    const Choice choice = parse_choice(element);
    if (choice.name == "gzip" || choice.name == "x-gzip") return choice.weight > 0;
    if (choice.name == "*") any = choice.weight;
  }
  return any > 0;
}

std::string_view content_type_of(Format format) {
  return format == Format::text ? "text/plain; version=0.0.4; charset=utf-8"
                                : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

Page serve_page(const Registry& registry, std::string_view accept, std::string_view accept_encoding) {
  const Format format = negotiate(accept);
  Page page{content_type_of(format), "", registry.page(format)};
  if (page.body.size() >= least_bytes_for_gzip && accepts_gzip(accept_encoding)) {
    page.content_encoding = "gzip";
    page.body = gzip(page.body);
  }
  return page;
}

std::string gzip(std::string_view text) {
  constexpr int gzip_window = 15 + 16;
  constexpr int memory_level = 8;
  z_stream stream{};
  // The quickest level: metrics repeat themselves so much that the best one gains a few per cent for three times the
  // CPU.
  int result = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, memory_level, Z_DEFAULT_STRATEGY);
  assert(result == Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  result = deflate(&stream, Z_FINISH);
  assert(result == Z_STREAM_END);
  (void)result;
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace trunkline::metrics
