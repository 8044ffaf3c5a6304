#include "server/path.h"

#include <algorithm>

#include "base/characters.h"

namespace trunkline::server {
namespace {

bool is_plain_segment(std::string_view segment) {
  if (segment == "." || segment == "..") return false;
  return std::none_of(segment.begin(), segment.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '/' || c == '\\';
  });
}

std::string form_decoded(std::string_view text) {
  std::string blanks(text);
  std::replace(blanks.begin(), blanks.end(), '+', ' ');
  auto decoded = percent_decoded(blanks);
  return decoded ? *std::move(decoded) : std::string(text);
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = text.size() - i > 2 ? hex_value(text[i + 1]) : -1;
    const int low = text.size() - i > 2 ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::optional<std::vector<std::string>> path_segments(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  std::vector<std::string> segments;
  for (;;) {
    const std::size_t slash = path.find('/');
    const bool last = slash == std::string_view::npos;
    auto segment = percent_decoded(path.substr(0, slash));
    if (!segment || !is_plain_segment(*segment) || (segment->empty() && !last)) return std::nullopt;
    segments.push_back(*std::move(segment));
    if (last) return segments;
    path.remove_prefix(slash + 1);
  }
}

std::vector<std::pair<std::string, std::string>> query_pairs(std::string_view query, std::size_t most) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!query.empty() && pairs.size() < most) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    pairs.emplace_back(form_decoded(pair.substr(0, equals)),
                       equals == std::string_view::npos ? std::string() : form_decoded(pair.substr(equals + 1)));
  }
  return pairs;
}

}  // namespace trunkline::server
